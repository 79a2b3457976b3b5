import {join} from 'node:path'
import type {TestContext} from 'node:test'
import type {DownloadEvent} from '../../src/host/http/attempt.js'
import type {KeptImage} from '../../src/images/cache/cache.js'
import type {OpenedTarballs} from '../../src/images/opened-image.js'
import type {Resolution} from '../../src/images/resolve.js'
import type {ImageContext} from '../../src/images/sources/source.js'
import {contextFor} from './image-context.js'
import {type ImageServers, publishUbuntuBase, startImageServers} from './image-servers.js'
import {openReference} from './open-image.js'
import {temporaryFolder} from './temporary-folder.js'

/** Publishers that have `ubuntu:focal/base`, and a user who has nothing yet. */
export type Published = {
  readonly servers: ImageServers
  /** The user's folder of kept images. */
  readonly images: string
  /** Publishes a point release of focal with this archive. */
  publish(point: string, archive: Buffer): Promise<void>
  /** Opens `focal` as `envs create` does; it is closed with the test. */
  open(options?: OpenOptions): Promise<OpenedTarballs>
  /** Opens it, reads it and closes it. */
  use(options?: OpenOptions): Promise<Awaited<ReturnType<OpenedTarballs['verify']>>>
  /** The archives that were asked for. */
  fetches(): number
  /** From now on nobody answers. */
  readonly offline: OpenOptions
}

type OpenOptions = {
  readonly name?: string
  readonly context?: Partial<ImageContext>
  readonly sha256?: KeptImage['sha256']
  readonly onProgress?: (event: DownloadEvent) => void
  readonly onResolved?: (resolution: Resolution) => void
}

/** @param archive - What 20.04.5 holds. */
export async function givenPublished(t: TestContext, archive: Buffer): Promise<Published> {
  const servers = await startImageServers(t)
  const folder = await temporaryFolder(t)
  const images = join(folder, 'images')
  const publish = (point: string, body: Buffer) =>
    publishUbuntuBase(servers, {
      suite: 'focal',
      version: '20.04',
      files: {[`ubuntu-base-${point}-base-amd64.tar.gz`]: body},
    })
  await publish('20.04.5', archive)
  const open = async ({name = 'focal', context, ...options}: OpenOptions = {}) => {
    const image = await openReference(name, folder, {...options, context: contextFor(servers, context)})
    t.after(() => image.close())
    return image
  }
  const nowhere = 'http://127.0.0.1:1'
  return {
    servers,
    images,
    publish,
    open,
    async use(options) {
      const image = await open(options)
      try {
        return await image.verify()
      } finally {
        await image.close()
      }
    },
    fetches: () => servers.server.seen.filter(({target}) => target?.endsWith('.tar.gz')).length,
    offline: {context: {mirrors: {ubuntuBase: nowhere, ubuntuCloud: nowhere, lxc: nowhere}}},
  }
}
