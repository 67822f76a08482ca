// Response bodies, one reader and writer for each shape; what follows a ReplyHeader without error.
// exists, setData, setACL answer with a bare Stat (stat.ts); delete, ping, auth with nothing.

import { type Acl, readAclVector, writeAclVector } from './acl.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { readStat, type Stat, writeStat } from './stat.ts';

/** create2, createContainer, createTTL: ustring path, Stat stat. (create: the path alone.) */
export interface Create2Response {
  readonly path: string;
  readonly stat: Stat;
}

/** getData, reconfig: buffer data, Stat stat. */
export interface GetDataResponse {
  readonly data: Uint8Array | null;
  readonly stat: Stat;
}

/** getACL: vector<ACL> acl, Stat stat. */
export interface GetACLResponse {
  readonly acl: readonly Acl[];
  readonly stat: Stat;
}

/** getChildren2: vector<ustring> children, Stat stat. (getChildren: the vector alone.) */
export interface GetChildren2Response {
  readonly children: readonly string[];
  readonly stat: Stat;
}

/** One identity of a connection. whoAmI: vector<ClientInfo { ustring authScheme, ustring user }>. */
export interface ClientInfo {
  readonly authScheme: string;
  readonly user: string;
}

export function readCreate2Response(reader: ByteReader): Create2Response {
  return { path: reader.string() ?? '', stat: readStat(reader) };
}

export function writeCreate2Response(writer: ByteWriter, response: Create2Response): void {
  writer.string(response.path);
  writeStat(writer, response.stat);
}

export function readGetDataResponse(reader: ByteReader): GetDataResponse {
  return { data: reader.buffer(), stat: readStat(reader) };
}

export function writeGetDataResponse(writer: ByteWriter, response: GetDataResponse): void {
  writer.buffer(response.data);
  writeStat(writer, response.stat);
}

export function readGetACLResponse(reader: ByteReader): GetACLResponse {
  return { acl: readAclVector(reader) ?? [], stat: readStat(reader) };
}

export function writeGetACLResponse(writer: ByteWriter, response: GetACLResponse): void {
  writeAclVector(writer, response.acl);
  writeStat(writer, response.stat);
}

export function readGetChildren2Response(reader: ByteReader): GetChildren2Response {
  return { children: reader.stringVector() ?? [], stat: readStat(reader) };
}

export function writeGetChildren2Response(
  writer: ByteWriter,
  response: GetChildren2Response,
): void {
  writer.stringVector(response.children);
  writeStat(writer, response.stat);
}

export function readWhoAmIResponse(reader: ByteReader): ClientInfo[] {
  const count = reader.vectorLength();
  const infos: ClientInfo[] = [];
  for (let i = 0; i < count; i++) {
    infos.push({ authScheme: reader.string() ?? '', user: reader.string() ?? '' });
  }
  return infos;
}

export function writeWhoAmIResponse(writer: ByteWriter, infos: readonly ClientInfo[]): void {
  writer.int32(infos.length);
  for (const info of infos) {
    writer.string(info.authScheme);
    writer.string(info.user);
  }
}
