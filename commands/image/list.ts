import {EnvsCommand} from '../../src/cli/command.js'
import {formatBytes, formatRelativeTime} from '../../src/cli/format.js'
import {namesOfSigners} from '../../src/cli/views/text.js'
import {imageUsers} from '../../src/environments/image-trees.js'
import {listKept} from '../../src/images/cache/cache.js'
import {describeKeptContainer, listContainers} from '../../src/images/oci/kept.js'
import type {ImageListResult} from '../../src/images/results.js'

export default class ImageList extends EnvsCommand {
  static override summary = 'List the cached images.'
  static override description =
    `Each image can be used without a network. Those with a signer were verified by the signature of their publisher; of \
images of containers, the digests are verified. IN USE BY lists the \
environments made from an image; they do not need the image any more. With --quiet: digests only, one a line.`
  static override aliases = ['images', 'image:ls']
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  async run(): Promise<ImageListResult> {
    await this.parse(ImageList)
    const host = this.openHost()
    const {images: kept, damaged} = await listKept(host.paths.images)
    const users = await imageUsers(host.paths)
    const containers = (await listContainers(host.paths.images)).map(describeKeptContainer)
    const images = [...kept.map((image) => ({...image, container: null})), ...containers].map((image) => ({
      ...image,
      usedBy: users.get(image.sha256) ?? [],
    }))
    for (const {reason} of damaged) this.warn(`${reason} Remove it: envs image prune`)
    if (this.quiet) {
      for (const {sha256} of images) this.print(sha256)
      return images
    }
    if (images.length === 0) this.note('There is no image on this host yet. Fetch one: envs image pull focal')
    const ago = (time: Date | null) => (time === null ? 'never' : formatRelativeTime(time, host.now()))
    this.printTable(images, [
      {title: 'name', show: ({name}) => name},
      {title: 'version', rank: 2, show: ({version}) => version},
      {title: 'arch', rank: 3, show: ({architecture}) => architecture},
      {title: 'size', align: 'right', show: ({sizeBytes}) => formatBytes(sizeBytes)},
      {
        title: 'last used',
        rank: 4,
        // Versions up to 0.1 did not record each use.
        show: ({lastUsedAt, usedBy, fetchedAt}) => ago(lastUsedAt ?? (usedBy.length > 0 ? fetchedAt : null)),
      },
      {title: 'digest', rank: 5, show: ({sha256}) => sha256.slice(0, 12)},
      {title: 'signed', rank: 6, show: ({signedAt}) => (signedAt === null ? '-' : ago(signedAt))},
      {
        title: 'signer',
        rank: 7,
        show: ({signer, container}) => signer?.name ?? namesOfSigners(container?.signature?.signers),
      },
      {title: 'in use by', show: ({usedBy}) => usedBy.join(' ') || '-'},
    ])
    return images
  }
}
