import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {ExitCode} from '../src/errors.js'
import {ended, start} from '../src/host/process.js'

/** Files of a built host. */
export type HostImage = {
  readonly disk: string
  readonly kernel: string
  /** Undefined for a kernel that needs none. */
  readonly initrd: string | undefined
}

export type MachineOptions = {
  readonly image: HostImage
  /** A bare tar, the second disk. */
  readonly disk: string
  /** Receives the console of the kernel. */
  readonly folder: string
  readonly acceleration: string
  /** Whether the image keeps what the host writes. */
  readonly isKept?: boolean
  /** Factor of all limits. */
  readonly patience: number
  readonly signal: AbortSignal
}

/** A running machine, whose second serial line is `lines`. */
export type Machine = {
  /**
   * Returns the next line.
   *
   * @param seconds - The limit, on a machine that is not busy.
   * @param what - The event that the caller waits for, for the message.
   * @throws {@link SilentHostError} If none comes within the limit, or before the end of the machine.
   */
  nextLine(seconds: number, what: string): Promise<string>
  /** Waits until the machine turned itself off. @throws {@link SilentHostError} If it takes longer. */
  turnedOff(seconds: number): Promise<void>
  /** Ends the machine, and waits for its end. */
  stop(): Promise<void>
}

/** A booted host did not go on, or ended early. */
export class SilentHostError extends Error {
  readonly exitCode = ExitCode.bug

  constructor(what: string, console: string) {
    super(`${what} The last lines of the console:\n${console}`)
    this.name = 'SilentHostError'
  }
}

/** Boots a host, of which nothing stays. */
export function bootMachine(options: MachineOptions): Machine {
  const child = start(machineArguments(options, 'stdio'), {stdio: ['ignore', 'pipe', 'inherit']})
  const end = ended(child)
  // The wait for the first line reports a failure to start.
  end.catch(() => {})
  if (child.stdout === null) throw new Error('QEMU has no standard output')
  const lines = createInterface({input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY})[
    Symbol.asyncIterator
  ]()
  const within = async <Value>(event: Promise<Value>, seconds: number, what: string): Promise<Value> => {
    const limitSeconds = seconds * options.patience
    options.signal.throwIfAborted()
    const limit = new AbortController()
    const abort = () => limit.abort(options.signal.reason)
    options.signal.addEventListener('abort', abort, {once: true})
    const timer = setTimeout(() => limit.abort(), limitSeconds * 1000)
    try {
      const stopped = new Promise<never>((_, reject) => {
        limit.signal.addEventListener('abort', () => reject(limit.signal.reason), {once: true})
      })
      return await Promise.race([event, stopped])
    } catch (error) {
      options.signal.throwIfAborted()
      if (error !== limit.signal.reason) throw error
      throw new SilentHostError(`Waited ${limitSeconds} s for ${what}.`, await lastLines(options.folder))
    } finally {
      clearTimeout(timer)
      options.signal.removeEventListener('abort', abort)
    }
  }
  return {
    async nextLine(seconds, what) {
      const next = await within(lines.next(), seconds, what)
      if (next.done !== true) return next.value
      throw new SilentHostError(`The host ended before ${what}.`, await lastLines(options.folder))
    },
    async turnedOff(seconds) {
      await within(end, seconds, 'the host to turn itself off')
    },
    async stop() {
      child.kill('SIGKILL')
      await end
    },
  }
}

/** Boots a host whose second serial line is the caller's terminal. @returns When it is off. */
export async function attendMachine(options: MachineOptions): Promise<void> {
  const child = start(machineArguments(options, 'terminal'), {stdio: 'inherit'})
  await ended(child)
}

/**
 * The kernel distrusts the time stamp counter of an emulated processor and asks an emulated timer instead, at each reading of
 * the clock. The counter is sound: it is the one of the real processor.
 */
const FAST = ['clocksource=tsc', 'tsc=reliable', 'mitigations=off']

/**
 * QEMU's command line. IDE disks, because the kernels of Ubuntu have drivers for them built in; `snapshot=on`, so that the
 * image stays as it was built.
 */
function machineArguments(
  {image, disk, folder, acceleration, isKept = false}: MachineOptions,
  line: 'stdio' | 'terminal',
): string[] {
  const drive = (file: string, isShared: boolean) =>
    `file=${file.replaceAll(',', ',,')},format=raw,if=ide,snapshot=${isShared ? 'on' : 'off'}`
  // The keys of the caller go to the host, Ctrl-C too.
  const chardev = `stdio,id=line${line === 'terminal' ? ',signal=off' : ''}`
  return [
    ...['setpriv', '--pdeathsig', 'KILL', '--'],
    ...['qemu-system-x86_64', '-accel', acceleration, '-cpu', 'max', '-m', '3G', '-smp', '2', '-no-reboot'],
    ...['-kernel', image.kernel, ...(image.initrd === undefined ? [] : ['-initrd', image.initrd])],
    '-append',
    ['root=/dev/sda rw console=ttyS0 quiet panic=-1 systemd.show_status=error net.ifnames=0', ...FAST].join(
      ' ',
    ),
    ...['-drive', drive(image.disk, !isKept), '-drive', drive(disk, true)],
    ...['-nic', 'none', '-display', 'none', '-monitor', 'none'],
    ...['-serial', `file:${join(folder, 'console')}`, '-chardev', chardev, '-serial', 'chardev:line'],
  ]
}

async function lastLines(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'console'), 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-20).join('\n')
}
