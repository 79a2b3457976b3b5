import {readFileSync} from 'node:fs'
import {arch, availableParallelism, cpus, loadavg, release, totalmem} from 'node:os'
import {findProgram} from '../src/host/host.js'
import {mountOf, parseMountinfo} from '../src/host/machine/proc.js'
import {capture} from '../src/host/process.js'
import type {Bench} from './invocation.js'

export type Machine = {
  readonly date: string
  readonly system: string
  readonly kernel: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly user: string
  readonly fileSystem: string
  /** Averages over 1, 5 and 15 minutes, before the run. */
  readonly load: readonly number[]
  /** The line with the version of each tool. */
  readonly tools: Readonly<Record<string, string>>
}

const TOOLS = [
  'bwrap',
  'unshare',
  'proot',
  'podman',
  'distrobox',
  'schroot',
  'ch-run',
  'mmdebstrap',
  'tar',
  'gzip',
  'xz',
  'zstd',
] as const

/** Describes the machine of the measurements. */
export async function describeMachine(bench: Bench): Promise<Machine> {
  const uid = bench.user?.uid ?? process.getuid?.()
  const tools: Record<string, string> = {node: process.version}
  for (const tool of TOOLS) tools[tool] = await versionOf(tool, bench)
  return {
    date: new Date().toISOString(),
    system: prettyName(),
    kernel: `${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    user: uid === 0 ? 'root' : `an ordinary user (${uid})`,
    fileSystem: fileSystemOf(bench.folder),
    load: loadavg().map((value) => Math.round(value * 100) / 100),
    tools,
  }
}

/** Renders two columns. */
export function renderMachine({tools, load, ...facts}: Machine): string {
  const rows = [
    ...Object.entries(facts).map(([name, value]) => [name, String(value)] as const),
    ['load', load.join(' ')] as const,
    ...Object.entries(tools),
  ]
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join('\n')
}

export function fileSystemOf(path: string): string {
  const mount = mountOf(path, parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8')))
  return mount === undefined ? 'unknown' : `${mount.fileSystem} (${mount.options.join(',')})`
}

async function versionOf(tool: string, {environment}: Bench): Promise<string> {
  const path = findProgram(tool, environment['PATH'] ?? '')
  if (path === undefined) return 'not installed'
  const {stdout, stderr} = await capture([path, '--version'], {env: {USER: 'root', ...environment}})
  // Some programs also print a picture, some print to standard error.
  const line = `${stdout}\n${stderr}`.split('\n').find((text) => /\d/.test(text))
  return line?.replace(/^[^\p{L}\d]+/u, '').trim() ?? 'unknown'
}

/** @see os-release(5) */
function prettyName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
