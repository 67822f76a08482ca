// @zebu/server: a ZooKeeper server to run, or to embed.

export type { ConnectionActivity, ServerActivity } from './activity.ts';
export {
  type ConfigInput,
  type LogFormat,
  type LogLevel,
  type ParsedConfig,
  parseConfig,
} from './config/config.ts';
export { ConfigError } from './config/config-error.ts';
export { helpText, printConfig, wholeHelpText } from './config/help.ts';
export {
  defaultServerConfig,
  type ServerConfig,
  type ServerConfigOverrides,
} from './config/server-config.ts';
export type { Clock, Environment, Scheduler } from './environment.ts';
export { type FailureCode, ServerFailure } from './failure.ts';
export { type Logger, silentLogger } from './logger.ts';
export { nodeEnvironment } from './node-environment.ts';
export { probeStart } from './probe-start.ts';
export { type Ensemble, type StartEnsembleOptions, startEnsemble } from './start-ensemble.ts';
export { type StartServerOptions, startServer, type ZebuServer } from './start-server.ts';
export { FULL_VERSION, ZEBU_VERSION } from './version.ts';
