import {closeSync, openSync} from 'node:fs'
import {join} from 'node:path'
import {decoderPrefix} from '../src/compression/host-program.js'
import {findProgram} from '../src/host/host.js'
import type {Archive} from './archives.js'
import type {FreshPlaces} from './fresh-places.js'
import {type Bench, makeFolder, runAsCaller} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct, workerArguments} from './product.js'

/**
 * For GNU tar: an ordinary user can't make device nodes, and tar would exit with 2, as after a real failure.
 */
export const NO_DEVICES = ['--anchored', '--exclude=./dev/*', '--exclude=dev/*'] as const

/**
 * Compares extractions of the same archive into the same kind of folder: by GNU tar, by the worker, and by a
 * whole `envs create`.
 */
export function extractionGroup(
  archive: Archive,
  {places, bench}: {places: FreshPlaces; bench: Bench},
): Group {
  const {format, path, tarOptions, sizeBytes, origin} = archive
  const tar = ['tar', ...tarOptions].join(' ')
  return {
    title: `Extraction, ${format} (${(sizeBytes / 1e6).toFixed(1)} MB, ${origin})`,
    compared:
      'The same archive into a fresh folder: by GNU tar, by the worker that envs starts, and by all of create.',
    reference: tar,
    contenders: [
      {...gnuTar(archive, places, bench), name: tar},
      {...worker(path, places, bench), name: 'envs worker alone'},
      {...create(path, places, bench), name: 'envs create'},
    ],
    absent: [],
  }
}

function gnuTar({path, tarOptions}: Archive, places: FreshPlaces, bench: Bench): Omit<Contender, 'name'> {
  return {
    side: 'peer',
    prepare: async () => ({
      argv: ['tar', ...NO_DEVICES, ...tarOptions, path, '-C', await freshRoot(places, bench)],
    }),
    tidy: places.close,
  }
}

/** The worker as create starts it, alone. */
export function worker(path: string, places: FreshPlaces, bench: Bench): Omit<Contender, 'name'> {
  const uid = bench.user?.uid ?? process.getuid?.()
  return {
    side: 'ours',
    async prepare() {
      // As tar does: root sets owners, others do not.
      const request = {root: await freshRoot(places, bench), owners: uid === 0 ? 'keep' : 'caller'}
      return {argv: [...decoderFor(path), ...workerArguments('extract', request)], input: path}
    },
    tidy: places.close,
  }
}

/**
 * A whole `envs create`, into an empty store.
 *
 * @param before - An archive of which an environment is created first, untimed: the first creation of a user
 * also probes the host.
 */
export function create(
  path: string,
  places: FreshPlaces,
  bench: Bench,
  {before}: {readonly before?: string} = {},
): Omit<Contender, 'name'> {
  const product = (place: string) => openProduct(bench, join(place, 'home'))
  let place = ''
  return {
    // Left out without bwrap, which the worker does not need.
    side: 'peer',
    async prepare() {
      place = await places.open()
      if (before !== undefined) {
        await product(place).run('create', before, '--name', 'before', '--quiet')
        await runAsCaller(['sync', '--file-system', place], bench)
      }
      return product(place).call('create', path, '--name', 'bench', '--quiet')
    },
    async tidy() {
      await product(place).clear()
      await places.close()
    },
  }
}

/** Makes an empty folder for a tree, in a separate place. */
export async function freshRoot(places: FreshPlaces, bench: Bench): Promise<string> {
  const root = join(await places.open(), 'rootfs')
  await makeFolder(root, bench)
  return root
}

/** The prefix that create adds to the worker: the host's decoder, which starts together with it. */
function decoderFor(path: string): readonly string[] {
  const fd = openSync(path, 'r')
  try {
    return decoderPrefix(fd, (program) => findProgram(program, process.env['PATH'] ?? ''))
  } finally {
    closeSync(fd)
  }
}
