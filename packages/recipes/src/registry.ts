// @zebu/recipes/registry: services that announce themselves, and how to find one. See README.md.

export { curatorJson, type Instance } from './registry/instance.ts';
export {
  type Registration,
  type Registry,
  type RegistryOptions,
  registry,
} from './registry/registry.ts';
export type { Resolver, ResolverOptions, Strategy } from './registry/resolver.ts';
