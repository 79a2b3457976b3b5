import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Archive} from './archives.js'
import type {FreshPlaces} from './fresh-places.js'
import type {Bench} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct, WORKER} from './product.js'

/** An ordinary user can't make device nodes: tar would end with status 2, like after a real failure. */
const NO_DEVICES = ['--anchored', '--exclude=./dev/*', '--exclude=dev/*'] as const

/** The same archive into the same kind of place: GNU tar, the worker that extracts for us, and all of create. */
export function extractionGroup(
  archive: Archive,
  {places, bench, uid}: {places: FreshPlaces; bench: Bench; uid: number},
): Group {
  const {format, path, tarOptions, sizeBytes, origin} = archive
  const tar = ['tar', ...tarOptions].join(' ')
  return {
    title: `Extraction, ${format} (${(sizeBytes / 1e6).toFixed(1)} MB, ${origin})`,
    reference: tar,
    contenders: [
      {...gnuTar(archive, places), name: tar},
      {...worker(path, places, uid), name: 'envs worker alone'},
      {...create(path, places, bench), name: 'envs create'},
    ],
    absent: [],
  }
}

function gnuTar({path, tarOptions}: Archive, places: FreshPlaces): Omit<Contender, 'name'> {
  return {
    side: 'peer',
    prepare: async () => ({
      argv: ['tar', ...NO_DEVICES, ...tarOptions, path, '-C', await freshRoot(places)],
    }),
    tidy: places.close,
  }
}

function worker(path: string, places: FreshPlaces, uid: number): Omit<Contender, 'name'> {
  return {
    side: 'ours',
    async prepare() {
      // As tar does it: root gives files to their owners, others to themselves.
      const request = {root: await freshRoot(places), owners: uid === 0 ? 'keep' : 'caller'}
      return {argv: [...WORKER, 'extract', JSON.stringify(request)], input: path}
    },
    tidy: places.close,
  }
}

function create(path: string, places: FreshPlaces, bench: Bench): Omit<Contender, 'name'> {
  const product = (place: string) => openProduct(bench, join(place, 'home'))
  let place = ''
  return {
    // It needs bwrap to be there, as the worker does not: where it can't work it is left out.
    side: 'peer',
    async prepare() {
      place = await places.open()
      return product(place).call('create', path, '--name', 'bench', '--quiet')
    },
    async tidy() {
      await product(place).clear()
      await places.close()
    },
  }
}

async function freshRoot(places: FreshPlaces): Promise<string> {
  const root = join(await places.open(), 'rootfs')
  await mkdir(root)
  return root
}
