// Services under one base path, each instance an ephemeral znode `<base>/<service>/<id>`: the layout of Curator's
// x-discovery.

import type { Client } from '@zebu/client';
import type { OpOptions, RecipeOptions } from '../core/options.ts';
import { childPath } from '../core/owned-znode.ts';
import { members } from '../presence/group.ts';
import { type HoldOptions, hold, type Presence } from '../presence/hold.ts';
import { curatorJson, type Instance } from './instance.ts';
import { openResolver, type Resolver, type ResolverOptions } from './resolver.ts';

export interface Registration extends AsyncDisposable {
  readonly service: string;
  readonly instance: Instance;
  readonly presence: Presence;
  /** Later sessions register the newest. The id stays. */
  update(instance: Omit<Instance, 'id'>, options?: OpOptions): Promise<void>;
}

export interface RegistryOptions extends Pick<RecipeOptions, 'acl'> {}

export interface Registry {
  readonly base: string;
  /** Registered until disposed, in each session, and never after. */
  register(
    service: string,
    instance: Instance,
    options?: Pick<HoldOptions, 'onConflict' | 'signal' | 'timeoutMs'>,
  ): Promise<Registration>;
  /** The instances now, sorted by id, and again when they change; a slow reader sees the newest only. */
  watch(
    service: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<readonly Instance[]>;
  /** Resolves when the instances are known. */
  resolver(service: string, options?: ResolverOptions): Promise<Resolver>;
  /** The services that have, or had lately, an instance. */
  services(options?: OpOptions): Promise<readonly string[]>;
}

export function registry(zk: Client, base: string, options: RegistryOptions = {}): Registry {
  const watch = async function* (
    service: string,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<readonly Instance[], void, void> {
    const path = childPath(base, service);
    for await (const found of members(zk, path, curatorJson(service), signal)) {
      yield [...found.keys()].sort().map((id) => found.get(id) as Instance);
    }
  };
  return {
    base,
    register: async (service, instance, registering) => {
      const codec = curatorJson(service);
      const path = childPath(childPath(base, service), instance.id);
      const presence = await hold(zk, path, codec.encode(instance), { ...options, ...registering });
      return new HeldRegistration(service, instance, presence);
    },
    watch,
    resolver: (service, resolving) =>
      openResolver(zk, (signal) => watch(service, { signal }), resolving),
    services: async (reading) => {
      const { names } = await zk.children(base, reading);
      return names.toSorted();
    },
  };
}

class HeldRegistration implements Registration {
  readonly service: string;
  readonly presence: Presence;
  instance: Instance;

  constructor(service: string, instance: Instance, presence: Presence) {
    this.service = service;
    this.instance = instance;
    this.presence = presence;
  }

  async update(instance: Omit<Instance, 'id'>, options?: OpOptions): Promise<void> {
    this.instance = { ...instance, id: this.instance.id };
    await this.presence.update(curatorJson(this.service).encode(this.instance), options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.presence[Symbol.asyncDispose]();
  }
}
