// A family of paths whose znodes all hold values of one type: `/app/{tenant}/users/{id}`.

import type {
  Client,
  Created,
  CreateOptions,
  DeleteOptions,
  OpOptions,
  Stat,
  UnwatchedReadOptions,
  VersionOptions,
} from '@zebu/client';
import { type SharedValue, type WatchValueOptions, watchValue } from '../value/watch-value.ts';
import type { Codec } from './codec.ts';

/** The names in braces of a template. */
export type ParameterNames<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

/** One string for each name in braces. */
export type PathParameters<P extends string> = {
  readonly [Name in ParameterNames<P>]: string;
};

export interface TypedZnode<T> {
  readonly value: T;
  readonly stat: Stat;
}

/** The client's calls, with parameters for paths and values for bytes. A value that cannot be decoded rejects. */
export interface TypedPath<Parameters, T> {
  readonly template: string;
  /** Throws a TypeError for a parameter that is missing, empty, or would be another part of the tree. */
  path(parameters: Parameters): string;
  /** The parameters of a path of this family; undefined for any other path. */
  match(path: string): Parameters | undefined;
  create(parameters: Parameters, value: T, options?: CreateOptions): Promise<Created>;
  get(parameters: Parameters, options?: UnwatchedReadOptions): Promise<TypedZnode<T>>;
  exists(parameters: Parameters, options?: UnwatchedReadOptions): Promise<Stat | undefined>;
  set(parameters: Parameters, value: T, options?: VersionOptions): Promise<Stat>;
  /** Reads, changes, and writes if nobody else did meanwhile; else again. Undefined: leave it. */
  update(
    parameters: Parameters,
    change: (value: T) => T | undefined,
    options?: OpOptions,
  ): Promise<Stat>;
  delete(parameters: Parameters, options?: DeleteOptions): Promise<void>;
  /** As watchValue(). */
  watchValue(parameters: Parameters, options?: WatchValueOptions): Promise<SharedValue<T>>;
}

/** `template` is a path with names in braces, each of which stands for a part of it without a slash. */
export function typed<const P extends string, T>(
  zk: Client,
  template: P,
  codec: Codec<T>,
): TypedPath<PathParameters<P>, T> {
  const parts = partsOf(template);
  const pattern = patternOf(parts);
  const names = parts.filter((_, i) => i % 2 === 1);
  const path = (parameters: PathParameters<P>): string =>
    parts.map((part, i) => (i % 2 === 1 ? parameterOf(template, part, parameters) : part)).join('');
  const decode = (at: string, data: Uint8Array): T => {
    try {
      return codec.decode(data);
    } catch (cause) {
      throw new TypeError(`${at} holds no such value: ${(cause as Error).message}`, { cause });
    }
  };
  return {
    template,
    path,
    match: (given) => {
      const found = pattern.exec(given);
      if (found === null) return undefined;
      return Object.fromEntries(
        names.map((name, i) => [name, found[i + 1]]),
      ) as unknown as PathParameters<P>;
    },
    create: async (parameters, value, options) =>
      await zk.create(path(parameters), codec.encode(value), options),
    get: async (parameters, options) => {
      const at = path(parameters);
      const { data, stat } = await zk.get(at, options);
      return { value: decode(at, data), stat };
    },
    exists: async (parameters, options) => await zk.exists(path(parameters), options),
    set: async (parameters, value, options) =>
      await zk.set(path(parameters), codec.encode(value), options),
    update: async (parameters, change, options) => {
      const at = path(parameters);
      return await zk.update(
        at,
        ({ data }) => {
          const next = change(decode(at, data));
          return next === undefined ? undefined : codec.encode(next);
        },
        options,
      );
    },
    delete: async (parameters, options) => await zk.delete(path(parameters), options),
    watchValue: async (parameters, options) =>
      await watchValue(zk, path(parameters), codec, options),
  };
}

/** Text and names in turn, beginning and ending with text. */
function partsOf(template: string): string[] {
  const parts = template.split(/\{([^{}/]+)\}/);
  const names = parts.filter((_, i) => i % 2 === 1);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new TypeError(`${template} has the parameter ${twice} twice`);
  if (parts.some((part, i) => i % 2 === 0 && /[{}]/.test(part))) {
    throw new TypeError(`${template} has a brace that begins or ends no name`);
  }
  if (!template.startsWith('/')) throw new TypeError(`${template} does not begin with a slash`);
  return parts;
}

function patternOf(parts: readonly string[]): RegExp {
  const text = parts.map((part, i) =>
    i % 2 === 1 ? '([^/]+)' : part.replace(/[\\^$.*+?()[\]|]/g, '\\$&'),
  );
  return new RegExp(`^${text.join('')}$`);
}

function parameterOf(
  template: string,
  name: string,
  parameters: { readonly [name: string]: string },
): string {
  const value = parameters[name];
  const problem =
    typeof value !== 'string'
      ? `is ${value === undefined ? 'missing' : `a ${typeof value}`}`
      : value === ''
        ? 'is empty'
        : value.includes('/')
          ? `has a slash: ${JSON.stringify(value)}`
          : value === '.' || value === '..'
            ? `cannot be ${value}`
            : undefined;
  if (problem !== undefined) throw new TypeError(`${template}: the parameter ${name} ${problem}`);
  return value as string;
}
