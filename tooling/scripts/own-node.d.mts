export interface System {
  readonly platform: string;
  readonly arch: string;
  readonly isGlibc: boolean;
}

export declare function comesWithInstall(system: System): boolean;
export declare function thisSystem(): System;
export declare function problemOfNode(version: string, system: System): string | undefined;
export declare function canRun(node: string): boolean;
export declare function newerOfLine(
  current: string,
  available: readonly (readonly string[])[],
): string | undefined;
