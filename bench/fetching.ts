import {readFile} from 'node:fs/promises'
import {createServer} from 'node:http'
import {join} from 'node:path'
import {throttledAnswer} from '../test/support/slow-answers.js'
import type {FreshPlaces} from './fresh-places.js'
import type {Bench, Invocation} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct, type Product} from './product.js'

/** About as long as the extraction: concurrency gains most if both take the same time. */
const DOWNLOAD_MS = {usual: 2000, quick: 500}

/**
 * Compares two ways to use an archive from a slow server: a download followed by a creation, and one `create`
 * that extracts during the download.
 *
 * @returns The group, and a function that ends its server.
 */
export async function fetchingGroup(
  rootfs: string,
  {places, bench, isQuick}: {places: FreshPlaces; bench: Bench; isQuick: boolean},
): Promise<{group: Group; close: () => void}> {
  const durationMs = isQuick ? DOWNLOAD_MS.quick : DOWNLOAD_MS.usual
  const server = createServer(throttledAnswer(await readFile(rootfs), {durationMs}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const url = `http://127.0.0.1:${address.port}/rootfs.tar.gz`
  const create = (product: Product, image: string) =>
    product.call('create', image, '--name', 'bench', '--quiet')
  const afterCurl = (product: Product, place: string) => {
    const file = join(place, 'rootfs.tar.gz')
    const {argv, ...rest} = create(product, file)
    const script = 'curl --silent --show-error --fail --output "$0" "$1" && shift && exec "$@"'
    return {...rest, argv: ['sh', '-c', script, file, url, ...argv]}
  }
  const reference = 'curl, then envs create'
  const contenders: Contender[] = [
    {...inFreshPlace(afterCurl, {places, bench}), side: 'peer', name: reference},
    {
      ...inFreshPlace((product) => create(product, url), {places, bench}),
      side: 'peer',
      name: 'envs create',
    },
  ]
  return {
    group: {
      title: `Fetching and extracting, from a server that takes ${durationMs / 1000} s`,
      compared: 'From an address to an environment: fetched and then extracted, or both at once.',
      reference,
      contenders,
      absent: [],
    },
    close: () => server.close(),
  }
}

/** A peer: left out without bwrap, which other parts of the benchmark do not need. */
function inFreshPlace(
  invocation: (product: Product, place: string) => Invocation,
  {places, bench}: {places: FreshPlaces; bench: Bench},
): Pick<Contender, 'prepare' | 'tidy'> {
  const productIn = (place: string) => openProduct(bench, join(place, 'home'))
  let place = ''
  return {
    async prepare() {
      place = await places.open()
      return invocation(productIn(place), place)
    },
    async tidy() {
      await productIn(place).clear()
      await places.close()
    },
  }
}
