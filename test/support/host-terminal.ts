import {execFile} from 'node:child_process'
import {mkdir, mkdtemp, rm, symlink} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {delimiter, join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {promisify} from 'node:util'
import {FRONT_DOOR, type SandboxedCli, type Scope} from './cli.js'
import {isCooked} from './process-tree.js'
import {waitUntil} from './wait-until.js'

const execute = promisify(execFile)

/** Of the host's shell in each pane; nothing of a guest ends so. */
const HOST_PROMPT = 'host$ '

/** Longer than any answer takes on a busy machine. */
const TIMEOUT_MS = 12_000
const POLL_MS = 40

/** An interactive bash of the host in a terminal emulator, in which `envs` is the program that users start. */
export type Pane = {
  /** Types characters as they are; `\r` is Enter, `\x03` Ctrl-C, `\x1a` Ctrl-Z. */
  type(text: string): Promise<void>
  /** Forgets what the screen shows, then types a line and Enter. */
  enter(line: string): Promise<void>
  /**
   * Waits until the screen and what has left it at the top show this.
   *
   * @returns What they show, without blanks at the ends of lines.
   * @throws {Error} With the screen, when they do not in time.
   */
  shows(pattern: RegExp | string, timeoutMs?: number): Promise<string>
  /**
   * Brings the host's stopped job to the foreground, and waits until a session has the terminal: what is typed before that is
   * the shell's, as everywhere.
   */
  resume(): Promise<void>
  /** Types a line, waits for the host's prompt, and gives what is above it, without the line itself. */
  ask(line: string): Promise<string>
  /** What is on the screen now, without what has left it. */
  screen(): Promise<string>
  resize(columns: number, rows: number): Promise<void>
  /** Closes the terminal, if it is open, as a closed window does: the kernel sends SIGHUP. */
  close(): Promise<void>
  /** Process id of the host's shell. */
  readonly pid: number
  /** The terminal's device on the host. */
  readonly device: string
}

export type HostTerminal = {
  /** A further terminal, 80 by 24, whose shell has printed its prompt. */
  open(): Promise<Pane>
}

/** Terminals of a tmux server of the test's own, which ends with the test and takes what runs in them along. */
export async function hostTerminal(t: Scope, cli: Pick<SandboxedCli, 'env' | 'home'>): Promise<HostTerminal> {
  const programs = join(cli.home, 'programs')
  await mkdir(programs, {recursive: true})
  await symlink(FRONT_DOOR, join(programs, 'envs')).catch(tolerateExisting)
  const env = {
    ...cli.env,
    PATH: `${programs}${delimiter}${cli.env['PATH']}`,
    SHELL: '/bin/bash',
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    PS1: HOST_PROMPT,
    HISTFILE: '',
  }
  // Not in the home folder, which may go before the server: nothing could reach that any more.
  const folder = await mkdtemp(join(tmpdir(), 'envs-tmux-'))
  const socket = join(folder, 'socket')
  const tmux = async (...words: string[]): Promise<string> => {
    const {stdout} = await execute('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...words], {
      cwd: cli.home,
      env,
      timeout: 10_000,
    })
    return stdout
  }
  t.after(async () => {
    await execute('tmux', ['-S', socket, 'kill-server'], {cwd: '/', timeout: 10_000})
    await rm(folder, {recursive: true, force: true})
  })
  // A server without a session ends. It ends too where the runner has killed this process, whose hooks don't run then.
  const keep = `tail --pid=${process.pid} -f /dev/null; rm -r '${folder}'; kill $PPID`
  await tmux('new-session', '-d', '-s', 'keep', keep, ';', 'set-option', '-g', 'history-limit', '20000')
  return {open: () => openPane(tmux)}
}

type Tmux = (...words: string[]) => Promise<string>

async function openPane(tmux: Tmux): Promise<Pane> {
  const shell = ['bash', '--noprofile', '--norc', '-i']
  const opened = await tmux(
    ...['new-session', '-d', '-x', '80', '-y', '24', '-P', '-F', '#{pane_id} #{pane_pid} #{pane_tty}'],
    ...shell,
  )
  const [id = '', pid = '', device = ''] = opened.trim().split(' ')
  const capture = async (...words: string[]) =>
    (await tmux('capture-pane', '-p', '-J', ...words, '-t', id))
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n')
      .replace(/\n+$/, '\n')
  const all = () => capture('-S', '-')
  const type = async (text: string) => void (await tmux('send-keys', '-t', id, '-H', ...hexOf(text)))
  const shows = async (pattern: RegExp | string, timeoutMs = TIMEOUT_MS): Promise<string> => {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const text = await all()
      if (typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text)) return text
      if (Date.now() > deadline) throw new Error(`the terminal never showed ${pattern}, but:\n${text}`)
      await sleep(POLL_MS)
    }
  }
  const enter = async (line: string) => {
    await tmux('send-keys', '-R', '-t', id, ';', 'clear-history', '-t', id)
    await type(`${line}\r`)
  }
  const pane: Pane = {
    type,
    enter,
    shows,
    ask: async (line) => {
      await enter(line)
      const text = await shows(new RegExp(`\\n${escaped(HOST_PROMPT.trimEnd())}\\n$`))
      return text.slice(text.indexOf('\n') + 1, text.lastIndexOf(HOST_PROMPT.trimEnd()))
    },
    resume: async () => {
      await enter('fg')
      await shows(/^fg\n.*envs /m)
      await waitUntil('a session on the terminal', async () => !(await isCooked(device)))
    },
    screen: () => capture(),
    resize: async (columns, rows) => {
      await tmux('resize-window', '-t', id, '-x', String(columns), '-y', String(rows))
    },
    close: async () => void (await tmux('kill-pane', '-t', id).catch(() => {})),
    pid: Number(pid),
    device,
  }
  await shows(HOST_PROMPT.trimEnd())
  return pane
}

function hexOf(text: string): string[] {
  return [...Buffer.from(text)].map((byte) => byte.toString(16))
}

function escaped(text: string): string {
  return text.replace(/[$.*+?^{}()|[\]\\]/g, '\\$&')
}

function tolerateExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
