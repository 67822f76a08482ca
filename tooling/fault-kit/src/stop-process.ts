/** Stops a process where it is (SIGSTOP): its sockets stay open and nobody answers. Disposing lets it go on. */
export function stopProcess(pid: number): Disposable {
  process.kill(pid, 'SIGSTOP');
  return {
    [Symbol.dispose]: () => {
      process.kill(pid, 'SIGCONT');
    },
  };
}
