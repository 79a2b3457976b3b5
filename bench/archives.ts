import {createWriteStream} from 'node:fs'
import {open, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {pipeline} from 'node:stream/promises'
import {detectCompression, SNIFF_BYTES} from '../src/compression/input.js'
import {findProgram} from '../src/host/host.js'
import {ended, start} from '../src/host/process.js'
import type {Bench} from './invocation.js'

export type Format = 'gzip' | 'xz' | 'zstd'

export type Archive = {
  readonly format: Format
  readonly path: string
  readonly sizeBytes: number
  /** Options that make GNU tar read it. */
  readonly tarOptions: readonly string[]
  /** Its origin, for the report. */
  readonly origin: string
}

export type MissingArchive = {readonly format: Format; readonly reason: string}

const TAR_OPTIONS: Readonly<Record<Format, readonly string[]>> = {
  gzip: ['-xzf'],
  xz: ['-xJf'],
  zstd: ['--zstd', '-xf'],
}

/** With the defaults of each program, as a publisher would use it; with --quick, the fastest level. */
const COMPRESSORS = [
  {format: 'xz', usual: ['xz', '-6', '-T0'], quick: ['xz', '-0']},
  // xz before 5.6, and xz with -T1: one block, which only one core can decode.
  {format: 'xz', usual: ['xz', '-6', '-T1']},
  {format: 'zstd', usual: ['zstd', '-q', '-3'], quick: ['zstd', '-q', '-3']},
] as const

/**
 * Makes the same rootfs in each format.
 *
 * @param rootfs - A tar archive compressed with gzip.
 * @throws {Error} If it is not.
 */
export async function makeArchives(
  rootfs: string,
  {bench, isQuick}: {bench: Bench; isQuick: boolean},
): Promise<(Archive | MissingArchive)[]> {
  if (!(await isGzip(rootfs))) throw new Error(`${rootfs} is not compressed with gzip.`)
  const made: (Archive | MissingArchive)[] = [await describe('gzip', rootfs, 'as given')]
  for (const [index, compressor] of COMPRESSORS.entries()) {
    const {format} = compressor
    const quick = 'quick' in compressor ? compressor.quick : undefined
    const argv = isQuick ? quick : compressor.usual
    if (argv === undefined) continue
    const [program] = argv
    if (findProgram(program, bench.environment['PATH'] ?? '') === undefined) {
      made.push({format, reason: `${program} is not installed`})
      continue
    }
    const target = join(bench.folder, `rootfs-${index}.tar.${format}`)
    await recompress(rootfs, target, {argv, bench})
    made.push(await describe(format, target, argv.join(' ')))
  }
  return made
}

async function describe(format: Format, path: string, origin: string): Promise<Archive> {
  const {size} = await stat(path)
  return {format, path, sizeBytes: size, tarOptions: TAR_OPTIONS[format], origin}
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const {buffer} = await file.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0)
    return detectCompression(buffer) === 'gzip'
  } finally {
    await file.close()
  }
}

async function recompress(
  source: string,
  target: string,
  {argv, bench}: {argv: readonly string[]; bench: Bench},
): Promise<void> {
  const options = {env: bench.environment, cwd: bench.folder}
  const unpack = start(['gzip', '-dc', source], {...options, stdio: ['ignore', 'pipe', 'inherit']})
  const pack = start([...argv, '-c'], {...options, stdio: ['pipe', 'pipe', 'inherit']})
  const ends = Promise.all([ended(unpack), ended(pack)])
  if (unpack.stdout === null || pack.stdin === null || pack.stdout === null) throw new Error('no pipe')
  await Promise.all([
    pipeline(unpack.stdout, pack.stdin),
    pipeline(pack.stdout, createWriteStream(target, {flags: 'wx'})),
  ])
  if ((await ends).some(({status}) => status !== 0)) throw new Error(`${argv.join(' ')} failed`)
}
