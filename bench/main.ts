/** Times envs beside the tools it is built from; `npm run bench -- --help`. docs/performance.md reads the figures. */
import {chmod, chown, copyFile, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {ExitCode} from '../src/errors.js'
import {catchInterruption} from '../src/ui/interruption.js'
import {debianRootfs} from '../test/support/debian-rootfs.js'
import {aptGroup} from './apt.js'
import {makeArchives} from './archives.js'
import {bootstrapGroup} from './bootstrap.js'
import {type DiskUse, measureDiskUse, renderDiskUse} from './disk-use.js'
import {extractionGroup} from './extraction.js'
import {fetchingGroup} from './fetching.js'
import {type FreshPlaces, freshFileSystems, freshFolders} from './fresh-places.js'
import {type Bench, InvocationFailedError} from './invocation.js'
import {LARGE, layersGroup, SMALL} from './layers.js'
import {Patience} from './load.js'
import {describeMachine, renderMachine} from './machine.js'
import {type Group, measure, type Result} from './measure.js'
import {type Options, parseOptions, type Subject, USAGE} from './options.js'
import {openProduct, type Product} from './product.js'
import {renderResult} from './report.js'
import {renderSessionMemory, type SessionMemory} from './session-memory.js'
import {sessionGroup, sessionMemory} from './sessions.js'
import {startupGroup} from './startup.js'
import {findUser} from './user.js'

const PATIENCE_MS = {quick: 15_000, full: 60_000}

if (process.argv.includes('--help')) process.stdout.write(USAGE)
else {
  const request = await readRequest(process.argv.slice(2))
  if (request !== undefined) await main(request.options, request.user)
}

type Request = {readonly options: Options; readonly user: Bench['user']}

async function readRequest(argv: readonly string[]): Promise<Request | undefined> {
  try {
    const options = parseOptions(argv)
    return {options, user: options.user === undefined ? undefined : await findUser(options.user)}
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exitCode = ExitCode.usage
    return undefined
  }
}

async function main(options: Options, user: Bench['user']): Promise<void> {
  const given = options.rootfs === undefined ? await debianRootfs() : resolve(options.rootfs)
  const folder = await mkdtemp(join(tmpdir(), 'envs-bench-'))
  await chmod(folder, 0o700)
  const bench: Bench = {folder, environment: environmentFor(folder), ...(user === undefined ? {} : {user})}
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  const interruption = catchInterruption()
  const patience = new Patience(options.isQuick ? PATIENCE_MS.quick : PATIENCE_MS.full)
  const results: Result[] = []
  const diskUse: DiskUse[] = []
  const memoryUse: SessionMemory[] = []
  const show = async (subject: Subject, group: Group) => {
    const rounds = options.rounds[subject]
    const result = await measure(group, {rounds, bench, patience, signal: interruption.signal})
    results.push(result)
    process.stdout.write(`\n${renderResult(result)}\n`)
  }
  try {
    const rootfs = user === undefined ? given : await readableCopy(given, folder)
    const machine = await describeMachine(bench)
    process.stdout.write(`${renderMachine(machine)}\n`)
    if (options.subjects.includes('startup')) {
      await show('startup', startupGroup(openProduct(bench, join(folder, 'empty'))))
    }
    if (options.subjects.includes('sessions')) {
      const make = async (product: Product, home: string) => ({
        group: await sessionGroup(rootfs, {product, home, bench}),
        memory: () => sessionMemory({product, home, bench}),
      })
      const tell = async ({group, memory}: Awaited<ReturnType<typeof make>>) => {
        await show('sessions', group)
        memoryUse.push(await memory())
        process.stdout.write(`\n${memoryUse.map(renderSessionMemory).join('\n')}\n`)
      }
      await withStore('sessions', bench, {make, show: tell})
    }
    if (options.subjects.includes('layers')) {
      for (const written of options.isQuick ? [SMALL] : [SMALL, LARGE]) {
        const make = (product: Product) => layersGroup(rootfs, {product, written})
        await withStore('layers', bench, {make, show: (group) => show('layers', group)})
      }
      const make = (product: Product, home: string) => measureDiskUse(rootfs, {product, home, bench})
      const tell = async (use: DiskUse) => {
        diskUse.push(use)
        process.stdout.write(`\n${renderDiskUse(use)}\n`)
      }
      if (!options.isQuick) await withStore('layers', bench, {make, show: tell})
    }
    if (options.subjects.includes('extraction')) await extractions(rootfs, {options, bench, show})
    if (options.subjects.includes('fetching')) {
      const places = freshFolders(bench)
      const {group, close} = await fetchingGroup(rootfs, {places, bench})
      await show('fetching', group).finally(close)
    }
    if (options.subjects.includes('bootstrap')) {
      await show('bootstrap', bootstrapGroup({places: await placesFor(options, bench), bench}))
    }
    if (options.subjects.includes('apt')) {
      const places = await placesFor(options, bench)
      await show('apt', await aptGroup(rootfs, {places, bench}))
    }
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify({machine, results, diskUse, memoryUse}, null, 2)}\n`)
    }
  } finally {
    interruption.release()
    await rm(folder, {recursive: true, force: true})
  }
}

/**
 * A home of its own, and nothing else of the caller's: among others no NODE_EXTRA_CA_CERTS, for which Node 20
 * reads a whole file of certificates at every start, 20 ms and more that belong to the machine's settings.
 */
function environmentFor(folder: string): Bench['environment'] {
  const path = process.env['PATH'] ?? '/usr/bin:/bin'
  return {HOME: folder, LANG: 'C.UTF-8', NO_COLOR: '1', PATH: path, XDG_RUNTIME_DIR: folder}
}

/** What root has may lie where the user can't look. */
async function readableCopy(rootfs: string, folder: string): Promise<string> {
  const copy = join(folder, 'given.tar.gz')
  await copyFile(rootfs, copy)
  await chmod(copy, 0o644)
  return copy
}

async function placesFor(options: Options, bench: Bench): Promise<FreshPlaces> {
  const places = options.wantsFreshFileSystem ? await freshFileSystems(bench) : freshFolders(bench)
  process.stdout.write(`\nFiles go into ${places.description}.\n`)
  return places
}

async function withStore<Made>(
  subject: Subject,
  bench: Bench,
  {
    make,
    show,
  }: {make: (product: Product, home: string) => Promise<Made>; show: (made: Made) => Promise<void>},
): Promise<void> {
  const home = join(bench.folder, subject)
  const product = openProduct(bench, home)
  try {
    const made = await make(product, home).catch(unavailable)
    if (typeof made === 'string') process.stdout.write(`\n${subject}: left out (${made})\n`)
    else await show(made)
  } finally {
    await product.clear()
  }
}

/** Why the sandbox does not work on this host; anything else is thrown on. */
function unavailable(error: unknown): string {
  if (error instanceof InvocationFailedError) return error.message
  throw error
}

async function extractions(
  rootfs: string,
  {
    options,
    bench,
    show,
  }: {options: Options; bench: Bench; show: (subject: Subject, group: Group) => Promise<void>},
): Promise<void> {
  const places = await placesFor(options, bench)
  for (const archive of await makeArchives(rootfs, {bench, isQuick: options.isQuick})) {
    if ('reason' in archive)
      process.stdout.write(`\nExtraction, ${archive.format}: left out (${archive.reason})\n`)
    else await show('extraction', extractionGroup(archive, {places, bench}))
  }
}
