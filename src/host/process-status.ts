import {readFile} from 'node:fs/promises'

/** What /proc says of the limits this process was started under. */
export type ProcessStatus = {
  /** No program it starts can gain privileges: setuid programs such as newuidmap do nothing. */
  readonly noNewPrivileges: boolean
  /** A seccomp filter is on it. */
  readonly isFiltered: boolean
}

export async function readProcessStatus(): Promise<ProcessStatus> {
  return parseProcessStatus(await readFile('/proc/self/status', 'utf8'))
}

/**
 * @param text - /proc/PID/status. A field an old kernel lacks reads as not set.
 * @see proc_pid_status(5): `NoNewPrivs` since Linux 4.10, `Seccomp` 2 is a filter.
 */
export function parseProcessStatus(text: string): ProcessStatus {
  const field = (name: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  return {noNewPrivileges: field('NoNewPrivs') === '1', isFiltered: field('Seccomp') === '2'}
}
