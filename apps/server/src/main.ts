// Placeholder until the command is written.
process.stderr.write('zebu-server: not written yet\n');
process.exitCode = 1;
