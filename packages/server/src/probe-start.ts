// Tries what of a start can be tried without making or changing anything, for `zebu-server check`.

import { openDataDirectory } from '@zebu/storage';
import { checkServerConfig } from './config/check-config.ts';
import { memberOfSid } from './config/ensemble-config.ts';
import type { ServerConfig } from './config/server-config.ts';
import { claimDirectories, releaseClaims } from './directory/claim-directories.ts';
import type { Environment } from './environment.ts';
import { nodeEnvironment } from './node-environment.ts';
import { type PlannedPort, plannedPorts, tryPort } from './ports.ts';
import { readTls } from './tls/server-tls.ts';

/**
 * What a start would stop at: the errors that it would reject with, for the settings, the stores, the
 * ports and those of its directories that exist. Each port is bound for a moment.
 */
export async function probeStart(
  config: ServerConfig,
  environment: Environment = nodeEnvironment(),
): Promise<Error[]> {
  const errors: Error[] = [];
  const attempt = async (step: () => void | Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      errors.push(error as Error);
    }
  };
  await attempt(() => checkServerConfig(config));
  let tls: ReturnType<typeof readTls>;
  await attempt(() => {
    tls = readTls(environment.disk, config);
  });
  for (const planned of plannedPorts(config, tls)) {
    await attempt(() => tryPort(planned, environment.network));
  }
  for (const planned of memberPorts(config)) {
    await attempt(() => tryPort(planned, environment.network));
  }
  await attempt(() => tryDirectories(config, environment));
  return errors;
}

/** The ports on which a member meets the others. A start binds them too (ensemble/ensemble-member.ts). */
function memberPorts({ ensemble }: ServerConfig): PlannedPort[] {
  if (ensemble === undefined) return [];
  const [address] = memberOfSid(ensemble, ensemble.sid)?.addresses ?? [];
  if (address === undefined) return [];
  const host = ensemble.listenOnAllAddresses ? {} : { host: address.host };
  return [address.quorumPort, address.electionPort].map((port) => ({
    setting: `server.${ensemble.sid}`,
    options: { port, ...host },
  }));
}

async function tryDirectories(config: ServerConfig, { disk }: Environment): Promise<void> {
  const { dataDir, dataLogDir } = config;
  if (dataDir === undefined) return;
  const existing = [dataDir, dataLogDir ?? dataDir].filter((one) =>
    disk.exists(`${one}/version-2`),
  );
  if (existing.length < 2) return;
  const directory = openDataDirectory({ disk, dataDir, dataLogDir, autocreate: false });
  await releaseClaims(await claimDirectories(disk, directory));
}
