import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Archive} from './archives.js'
import type {FreshPlaces} from './fresh-places.js'
import type {Bench} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct, WORKER} from './product.js'

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
      ...(['emulated', 'mapped'] as const).map((identity) => ({
        ...create(path, {places, bench, identity}),
        name: `envs create, ${identity}`,
      })),
    ],
    absent: [],
  }
}

function gnuTar({path, tarOptions}: Archive, places: FreshPlaces): Omit<Contender, 'name'> {
  return {
    side: 'peer',
    prepare: async () => ({argv: ['tar', ...tarOptions, path, '-C', await freshRoot(places)]}),
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

function create(
  path: string,
  {places, bench, identity}: {places: FreshPlaces; bench: Bench; identity: string},
): Omit<Contender, 'name'> {
  const product = (place: string) => openProduct(bench, join(place, 'home'))
  let place = ''
  return {
    // What the host can't do is left out; the worker, which needs nothing of it, is not.
    side: 'peer',
    async prepare() {
      place = await places.open()
      return product(place).call('create', path, '--name', 'bench', '--identity', identity, '--quiet')
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
