// What the checks need to know of the workspace: its packages, read from their package.json.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..', '..');

export interface WorkspacePackage {
  readonly name: string;
  /** Absolute. */
  readonly directory: string;
  readonly isPublic: boolean;
  /** Subpaths of `exports`: `.`, `./internal`, ... Empty for an app. */
  readonly doors: readonly string[];
  readonly bins: readonly string[];
  readonly dependencies: readonly string[];
}

/** The packages under `packages/` and `apps/`, in the order of their names. */
export function readWorkspace(): WorkspacePackage[] {
  return ['packages', 'apps']
    .flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name)))
    .filter((directory) => existsSync(join(directory, 'package.json')))
    .map(readPackage)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readPackage(directory: string): WorkspacePackage {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  return {
    name: manifest.name,
    directory,
    isPublic: manifest.private !== true,
    doors: Object.keys(manifest.exports ?? {}).filter((door) => !door.endsWith('.json')),
    bins: Object.keys(manifest.bin ?? {}),
    dependencies: Object.keys(manifest.dependencies ?? {}),
  };
}
