import type { ViteUserConfig } from 'vitest/config';

export declare const project: (
  name: string,
  test?: NonNullable<ViteUserConfig['test']>,
) => ViteUserConfig;
