/**
 * All that the server asks about identities and ACLs, over the providers that its configuration
 * switches on. Knows no connection and no clock. isAllowedBy() recognises an ACL that is open to
 * everybody by its number; the class need not be asked then.
 */

import { type AclCache, type AclId, OPEN_ACL_ID } from '@zebu/data-tree';
import { type Acl, ErrorCode } from '@zebu/protocol';
import type { ServerConfig } from '../config/server-config.ts';
import { ServerMetrics } from '../metrics/metrics.ts';
import {
  AUTH_FAILED,
  type AuthContext,
  type AuthProvider,
  type AuthResult,
} from './auth-provider.ts';
import { DigestProvider } from './digest-provider.ts';
import { type EnsembleAuthCounts, EnsembleProvider } from './ensemble-provider.ts';
import { addIdentities, type Identity, NOBODY } from './identity.ts';
import { javaHostAddress } from './ip-address.ts';
import { IpProvider } from './ip-provider.ts';
import { SaslProvider } from './sasl-provider.ts';
import { X509Provider } from './x509-provider.ts';

/** What of the configuration decides who may do what. */
export type AccessConfig = Pick<
  ServerConfig,
  | 'authProviders'
  | 'digestAlg'
  | 'superDigest'
  | 'x509SuperUser'
  | 'letAnySaslUserDoX'
  | 'ensembleAuthNames'
  | 'enforceAuth'
  | 'skipAcl'
>;

/** One line of whoAmI. */
export interface ClientInfo {
  readonly authScheme: string;
  readonly user: string;
}

/** Entries of an ACL once `auth` is replaced: what a request of a megabyte can hold by itself. */
const MAX_ENTRIES = 50_000;

export class AccessControl {
  private readonly providers = new Map<string, AuthProvider>();
  private readonly skipAcl: boolean;
  private readonly enforcedSchemes: readonly string[];

  /** `counts`: where scheme ensemble counts, normally the server's metrics. */
  constructor(config: AccessConfig, counts: EnsembleAuthCounts = new ServerMetrics()) {
    for (const name of config.authProviders) {
      const provider = makeProvider(name, config, counts);
      this.providers.set(provider.scheme, provider);
    }
    this.skipAcl = config.skipAcl;
    this.enforcedSchemes = config.enforceAuth.enabled ? config.enforceAuth.schemes : [];
  }

  /** The schemes that are on, for the log line of a failed `auth`. */
  get schemes(): readonly string[] {
    return [...this.providers.keys()];
  }

  /**
   * Who a connection is before it says anything: its address, and on the TLS port the subject of its
   * certificate. undefined: the certificate names nobody, and the connection is to be closed.
   */
  initialIdentities(context: AuthContext): readonly Identity[] | undefined {
    const id = javaHostAddress(context.remoteAddress);
    const address = addIdentities(NOBODY, [{ scheme: 'ip', id }]);
    const x509 = this.providers.get('x509');
    if (context.peerCertificate === undefined || x509 === undefined) return address;
    const result = x509.authenticate(context, null);
    return result.kind === 'ok' ? addIdentities(address, result.identities) : undefined;
  }

  /** Judges an `auth` request. A scheme that is off fails. */
  authenticate(scheme: string, data: Uint8Array | null, context: AuthContext): AuthResult {
    return this.providers.get(scheme)?.authenticate(context, data) ?? AUTH_FAILED;
  }

  /** False while enforce.auth forbids this connection everything but `auth` and `sasl`. */
  mayRequest(identities: readonly Identity[]): boolean {
    const enforced = this.enforcedSchemes;
    if (enforced.length === 0) return true;
    return identities.some(({ scheme }) => enforced.includes(scheme));
  }

  /**
   * Whether an ACL grants one of the permission bits `wanted`. A znode without an ACL is open
   * (ZooKeeperServer.checkACL).
   */
  isAllowed(acls: readonly Acl[], wanted: number, identities: readonly Identity[]): boolean {
    if (this.skipAcl || acls.length === 0) return true;
    for (const identity of identities) {
      if (identity.scheme === 'super') return true;
    }
    for (const acl of acls) {
      if ((acl.perms & wanted) !== 0 && this.means(acl, identities)) return true;
    }
    return false;
  }

  private means(acl: Acl, identities: readonly Identity[]): boolean {
    if (acl.scheme === 'world' && acl.id === 'anyone') return true;
    const provider = this.providers.get(acl.scheme);
    if (provider === undefined) return false;
    for (const identity of identities) {
      if (identity.scheme === acl.scheme && provider.matches(identity.id, acl.id)) return true;
    }
    return false;
  }

  /**
   * The ACL that a create or setACL stores: without repetitions, entries of scheme `auth` replaced by
   * the users that the connection is, every other entry checked. The error code INVALIDACL when
   * nothing would be left or an entry is not valid (PrepRequestProcessor.fixupACL).
   */
  fixupAcl(
    acls: readonly Acl[] | null,
    identities: readonly Identity[],
  ): Acl[] | typeof ErrorCode.INVALIDACL {
    const fixed: Acl[] = [];
    for (const acl of withoutRepetitions(acls ?? [])) {
      if (acl.scheme === 'auth') {
        const users = identities.filter(
          ({ scheme }) => this.providers.get(scheme)?.isAuthenticated === true,
        );
        if (users.length === 0) return ErrorCode.INVALIDACL;
        // Entries times identities: a small request must not make a list that nobody can hold.
        if (fixed.length + users.length > MAX_ENTRIES) return ErrorCode.INVALIDACL;
        for (const { scheme, id } of users) fixed.push({ perms: acl.perms, scheme, id });
        continue;
      }
      const isWorld = acl.scheme === 'world' && acl.id === 'anyone';
      const isValid = isWorld || this.providers.get(acl.scheme)?.isValid(acl.id) === true;
      if (!isValid) return ErrorCode.INVALIDACL;
      fixed.push(acl);
    }
    return fixed.length === 0 ? ErrorCode.INVALIDACL : fixed;
  }

  /** What whoAmI answers: every identity with the name that its scheme gives it. */
  clientInfos(identities: readonly Identity[]): ClientInfo[] {
    return identities.map(({ scheme, id }) => ({
      authScheme: scheme,
      user: this.providers.get(scheme)?.userName(id) ?? '',
    }));
  }

  /** The users of a connection for the audit log; undefined when it is nobody (AuthUtil.getUsers). */
  auditUsers(identities: readonly Identity[]): string | undefined {
    const names = this.clientInfos(identities)
      .map(({ user }) => user)
      .filter((user) => user.trim() !== '');
    return names.length === 0 ? undefined : names.join(',');
  }
}

/**
 * Whether the ACL with this id grants one of the permission bits. Most znodes have the open list: for it
 * nothing is looked up.
 */
export function isAllowedBy(
  aclId: AclId,
  acls: AclCache,
  access: AccessControl,
  wanted: number,
  identities: readonly Identity[],
): boolean {
  return aclId === OPEN_ACL_ID || access.isAllowed(acls.aclOf(aclId), wanted, identities);
}

/** What getACL shows to somebody without the ADMIN permission: no hashes of passwords. */
export function redactAcl(acls: readonly Acl[]): Acl[] {
  return acls.map((acl) =>
    acl.scheme === 'digest' ? { ...acl, id: acl.id.replaceAll(/:.*/g, ':x') } : acl,
  );
}

function makeProvider(
  name: ServerConfig['authProviders'][number],
  config: AccessConfig,
  counts: EnsembleAuthCounts,
): AuthProvider {
  switch (name) {
    case 'digest':
      return new DigestProvider({ algorithm: config.digestAlg, superDigest: config.superDigest });
    case 'ip':
      return new IpProvider();
    case 'x509':
      return new X509Provider({ superUser: config.x509SuperUser });
    case 'sasl':
      return new SaslProvider({ letAnySaslUserDoX: config.letAnySaslUserDoX });
    case 'ensemble':
      return new EnsembleProvider({ names: config.ensembleAuthNames, counts });
  }
}

// By a set: a request of a megabyte holds fifty thousand entries.
function withoutRepetitions(acls: readonly Acl[]): Acl[] {
  const seen = new Set<string>();
  return acls.filter(({ perms, scheme, id }) => {
    const key = `${perms} ${scheme.length} ${scheme}${id}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
