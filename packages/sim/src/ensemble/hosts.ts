// Where the members of a simulated ensemble are.

export const CLIENT_PORT = 2181;
export const QUORUM_PORT = 2888;
export const ELECTION_PORT = 3888;

export function hostOf(sid: number): string {
  return `10.0.0.${sid}`;
}
