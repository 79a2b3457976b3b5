import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {debArchitecture} from '../src/host/machine/arch.js'
import {publishUbuntuBase, startImageServers} from '../test/support/image-servers.js'
import {type Bench, runAsUser} from './invocation.js'
import type {Product} from './product.js'

/** A cached image in the product's store, from a publisher. */
export type KeptImage = {
  /** The name to type. */
  readonly name: string
  /** Variables with the publisher's mirror and key. */
  readonly variables: Readonly<Record<string, string>>
  /** Ends the publisher's server. */
  close(): Promise<void>
}

const [NAME, POINT] = ['focal', '20.04.5']

/**
 * Publishes a rootfs on a local server, signed by a new key, and downloads it.
 *
 * @throws {InvocationFailedError}
 */
export async function keepImage(
  rootfs: string,
  {product, bench}: {product: Product; bench: Bench},
): Promise<KeptImage> {
  const tidyUps: (() => Promise<void>)[] = []
  const close = async () => {
    for (const tidyUp of tidyUps) await tidyUp()
  }
  try {
    const servers = await startImageServers({after: (tidyUp) => void tidyUps.push(tidyUp)})
    const file = `ubuntu-base-${POINT}-base-${debArchitecture(process.arch)}.tar.gz`
    const files = {[file]: await readFile(rootfs)}
    await publishUbuntuBase(servers, {suite: NAME, version: '20.04', files})
    // The user of the programs must be able to read it.
    const keyring = join(bench.folder, 'publisher.asc')
    await writeFile(keyring, servers.signer.publicKey)
    const variables = {...servers.variables, ENVS_KEYRINGS: `${servers.server.origin.origin}=${keyring}`}
    const {argv, variables: store} = product.call('image', 'pull', NAME)
    await runAsUser(argv, {...bench, environment: {...bench.environment, ...store, ...variables}})
    return {name: NAME, variables, close}
  } catch (error) {
    await close()
    throw error
  }
}
