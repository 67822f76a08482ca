// Passes on what comes to the listening sockets that it is handed: from this machine's loopback to the members of an ensemble, whose
// namespaces only a process within one of them can dial. Ends with the process that started it.

import { connect } from 'node:net';

process.on('message', (/** @type {{ host: string, port: number }} */ target, server) => {
  server.on('connection', (client) => {
    const member = connect({ ...target, noDelay: true });
    client.setNoDelay(true);
    for (const [source, sink] of [
      [client, member],
      [member, client],
    ]) {
      source.pipe(sink);
      source.on('error', () => sink.destroy());
      source.on('close', () => sink.destroySoon());
    }
  });
});
process.on('disconnect', () => process.exit(0));
