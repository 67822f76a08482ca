// Placeholder until the command is written.
process.stderr.write('zebu-bench: not written yet\n');
process.exitCode = 1;
