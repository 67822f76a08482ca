// The ports that a configuration asks for: tried before anything is made, opened at the end of a start.

import {
  type Listener,
  type ListenOptions,
  type Network,
  TransportError,
  type TransportErrorCode,
} from '@zebu/transport';
import type { ServerConfig } from './config/server-config.ts';
import { flagName } from './config/settings.ts';

type ClientPortSetting = 'clientPort' | 'secureClientPort';
type PortSetting = ClientPortSetting | `server.${number}`;

/** One port to open, and the setting that it is from. */
export interface PlannedPort<S extends PortSetting = PortSetting> {
  readonly setting: S;
  readonly options: ListenOptions;
}

/** A port for clients. */
export type PlannedClientPort = PlannedPort<ClientPortSetting>;

/** Opens one port, as Network.listen. */
type Listen = (options: ListenOptions) => Promise<Listener>;

/** The ports in the order in which they open. `tls` is what the stores of the configuration hold. */
export function plannedPorts(config: ServerConfig, tls: ListenOptions['tls']): PlannedClientPort[] {
  const planned: PlannedClientPort[] = [];
  const plan = (setting: ClientPortSetting, host: string | undefined): void => {
    planned.push({
      setting,
      options: {
        port: config[setting],
        ...(host === undefined ? {} : { host }),
        keepAlive: config.tcpKeepAlive,
        ...(config.clientPortListenBacklog > 0 ? { backlog: config.clientPortListenBacklog } : {}),
        ...(setting === 'secureClientPort' && tls !== undefined ? { tls } : {}),
      },
    });
  };
  if (config.clientPort >= 0) plan('clientPort', config.clientPortAddress);
  if (config.secureClientPort >= 0 && tls !== undefined) {
    plan('secureClientPort', config.secureClientPortAddress);
  }
  return planned;
}

/**
 * Binds the port and lets it go again. Rejects with a TransportError that names the setting: before a
 * directory is made or data are loaded, and not after.
 */
export async function tryPort(planned: PlannedPort, network: Network): Promise<void> {
  const listener = await open(planned, (options) =>
    network.listen(options, (connection) => {
      connection.destroy();
      return { data() {}, drained() {}, closed() {} };
    }),
  );
  await listener.close();
}

/** Opens all of them, or none. Rejects with a TransportError that names the setting. */
export async function openPorts(
  planned: readonly PlannedClientPort[],
  listen: Listen,
): Promise<{ plain: Listener | undefined; secure: Listener | undefined }> {
  const opened: { [S in ClientPortSetting]?: Listener } = {};
  try {
    for (const one of planned) opened[one.setting] = await open(one, listen);
  } catch (error) {
    await opened.clientPort?.close();
    throw error;
  }
  return { plain: opened.clientPort, secure: opened.secureClientPort };
}

async function open({ setting, options }: PlannedPort, listen: Listen): Promise<Listener> {
  try {
    return await listen(options);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    const { code, address, port } = error;
    const remedy = setting.startsWith('server.')
      ? `see the line ${setting}, which is the same on every member`
      : REMEDIES[code]?.(setting, `--${flagName(setting)}`);
    if (remedy === undefined) throw error;
    const { message } = error.cause instanceof Error ? error.cause : error;
    throw new TransportError(code, {
      address,
      port,
      detail: `${message}; ${remedy}`,
      cause: error,
    });
  }
}

const REMEDIES: {
  readonly [C in TransportErrorCode]?: (setting: PortSetting, flag: string) => string;
} = {
  ADDRESS_IN_USE: (setting, flag) =>
    `stop that process, or set ${setting} (${flag}) to another port`,
  ADDRESS_UNAVAILABLE: (setting, flag) =>
    `set ${setting}Address (${flag}-address) to an address of this machine, or leave it out for all`,
  PERMISSION: (setting, flag) => `set ${setting} (${flag}) to a port from 1024 up`,
};
