import {spawn} from 'node:child_process'

export type Typed = {
  /** Waits until the terminal has shown this. */
  readonly after: string
  /** Then types this; `\r` is Enter, `\x03` Ctrl-C, `\x04` Ctrl-D. */
  readonly send: string
}

export type TerminalRun = {readonly status: number | null; readonly screen: string}

/** Longer than any program of these tests lives. */
const TIMEOUT_MS = 60_000

/**
 * Runs a shell command on a pseudo-terminal of its own, 80 by 24, as its controlling one.
 *
 * @returns Its exit status, and all that the terminal was sent: output and echo, with `\r\n` line ends.
 * @see script(1), which Debian and Ubuntu always have
 */
export function runInTerminal(
  command: string,
  {typed = [], env = {}}: {typed?: readonly Typed[]; env?: Readonly<Record<string, string>>} = {},
): Promise<TerminalRun> {
  return new Promise((resolve, reject) => {
    const sized = `stty cols 80 rows 24; ${command}`
    const child = spawn('script', ['--quiet', '--return', '--flush', '--command', sized, '/dev/null'], {
      env: {...process.env, TERM: 'xterm', ...env},
      timeout: TIMEOUT_MS,
    })
    let screen = ''
    let seen = 0
    const pending = [...typed]
    const typeWhatIsDue = () => {
      for (let next = pending[0]; next !== undefined; next = pending[0]) {
        const at = screen.indexOf(next.after, seen)
        if (at === -1) return
        seen = at + next.after.length
        child.stdin.write(next.send)
        pending.shift()
      }
    }
    child.stdout.on('data', (chunk: Buffer) => {
      screen += chunk.toString('utf8')
      typeWhatIsDue()
    })
    child.stdin.on('error', () => {})
    child.once('error', reject)
    child.once('close', (status) => resolve({status, screen}))
  })
}
