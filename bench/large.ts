import {join} from 'node:path'
import {create, freshRoot, NO_DEVICES, worker} from './extraction.js'
import type {FreshPlaces} from './fresh-places.js'
import {type Bench, runAsCaller, runAsUser} from './invocation.js'
import type {LargeArchive} from './large-archive.js'
import type {Contender, Group} from './measure.js'
import {openProduct} from './product.js'

/** Inputs for making trees of the archive, each in a separate place. */
export type LargeTrees = {
  readonly archive: LargeArchive
  /** The rootfs that it was made from. */
  readonly rootfs: string
  readonly places: FreshPlaces
  readonly bench: Bench
}

/**
 * Runs the decoder on all cores, piped to tar; arguments are the archive's path, the folder and tar's
 * options.
 */
const DECODE_AND_UNPACK = 'archive=$1 folder=$2; shift 2; xz -T0 -dc "$archive" | tar "$@" -xf - -C "$folder"'

/** Compares extractions of a large archive into a fresh folder. */
export function largeExtractionGroup(trees: LargeTrees): Group {
  const {archive, places, bench} = trees
  const reference = 'xz -T0 -dc | tar -x'
  return {
    title: `A large tree, made of an archive: ${inWords(archive)}`,
    compared:
      'The same archive into a fresh folder: by xz on all cores with GNU tar, by the worker that envs starts, and by all of create, where an environment was made before and where none was.',
    reference,
    contenders: [
      {
        name: reference,
        side: 'peer',
        prepare: async () => unpack(trees, await freshRoot(places, bench)),
        tidy: places.close,
      },
      {...worker(archive.path, places, bench), name: 'envs worker alone'},
      {...create(archive.path, places, bench, {before: trees.rootfs}), name: 'envs create'},
      {...create(archive.path, places, bench), name: 'envs create, the first of a user'},
    ],
    absent: [],
  }
}

/** Compares removals of a large tree: files of the caller, and an environment with a plain tree. */
export function largeRemovalGroup(trees: LargeTrees): Group {
  const reference = 'rm -rf'
  return {
    title: `A large tree, removed: ${inWords(trees.archive)}`,
    compared:
      'The files of one archive, unpacked just before and written to the disk: a folder by rm, an environment by envs rm.',
    reference,
    contenders: [
      {...removalByHand(trees), name: reference},
      {...removalByEnvs(trees), name: 'envs rm, a plain tree'},
    ],
    absent: [],
  }
}

function removalByHand(trees: LargeTrees): Omit<Contender, 'name'> {
  const {places, bench} = trees
  return {
    side: 'peer',
    async prepare() {
      const root = await freshRoot(places, bench)
      await runAsUser(unpack(trees, root).argv, bench)
      await runAsCaller(['sync', '--file-system', root], bench)
      return {argv: ['rm', '-rf', root]}
    },
    tidy: places.close,
  }
}

function removalByEnvs({archive, places, bench}: LargeTrees): Omit<Contender, 'name'> {
  const productIn = (place: string) => openProduct(bench, join(place, 'home'))
  let place = ''
  return {
    // Left out if no environment works, as create is.
    side: 'peer',
    async prepare() {
      place = await places.open()
      const product = productIn(place)
      // With layers the files would belong to the image, which stays.
      await product.run('create', archive.path, '--name', 'large', '--storage', 'directory', '--quiet')
      await runAsCaller(['sync', '--file-system', place], bench)
      return product.front('rm', '--now', 'large')
    },
    async tidy() {
      await productIn(place).clear()
      await places.close()
    },
  }
}

function unpack({archive}: LargeTrees, root: string): {argv: readonly string[]} {
  return {argv: ['sh', '-c', DECODE_AND_UNPACK, 'sh', archive.path, root, ...NO_DEVICES]}
}

function inWords({unpackedBytes, sizeBytes, entries}: LargeArchive): string {
  return `${megabytes(unpackedBytes)} MB in ${entries} entries, ${megabytes(sizeBytes)} MB as xz`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
