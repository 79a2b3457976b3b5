import {EnvsCommand} from '../../src/cli/command.js'
import {architectureFlag, architectureIn, yesFlag} from '../../src/cli/flags.js'
import {Args} from '../../src/cli/parse.js'
import {
  findUnusedImageTrees,
  findUnusedStoredLayers,
  imageUsers,
  removeImageTrees,
} from '../../src/environments/image-trees.js'
import {removeImages} from '../../src/images/cache/remove.js'
import type {ImageRemovalResult} from '../../src/images/results.js'
import {removeStoredLayers} from '../../src/store/image-layers.js'

export default class ImageRm extends EnvsCommand {
  static override summary = 'Remove cached images.'
  static override description =
    `IMAGE is a name as in envs image list or envs create, a digest, or the first 8 digits of a digest. Environments \
made from an image keep their files. The unpacked layer is removed too if no environment uses it. Never asks for \
confirmation: an image can be downloaded again.`
  static override usage = 'image rm IMAGE... [FLAG...]'
  static override aliases = ['image:remove', 'image:delete']
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ubuntu:focal/cloud 60e216b60947',
  ]
  static override args = {
    images: Args.string({description: 'names or digests of images', ignoreStdin: true, required: true}),
  }
  static override flags = {
    yes: yesFlag(),
    arch: architectureFlag("processor of the images that names mean; the host's when left out"),
  }

  async run(): Promise<ImageRemovalResult> {
    const {argv, flags} = await this.parse(ImageRm)
    const host = this.openHost()
    const {paths, now} = host
    const architecture = architectureIn(flags) ?? host.architecture
    const removed = await removeImages(paths.images, argv.map(String), {architecture, now: now()})
    const digests = new Set<string>(removed.map(({sha256}) => sha256))
    const trees = (await findUnusedImageTrees(paths)).filter(({sha256}) => digests.has(sha256))
    await removeImageTrees(host, new Set(trees.map(({id}) => id)))
    await removeStoredLayers(host, await findUnusedStoredLayers(host))
    const users = await imageUsers(paths)
    for (const {name, version, sha256} of removed) {
      const left = users.get(sha256) ?? []
      const kept =
        left.length === 0
          ? ''
          : ` These environments were made from it and do not need it: ${left.join(', ')}.`
      this.note(`Removed ${name} ${version}.${kept}`)
    }
    return {removed: removed.map(({name, version, sha256}) => ({name, version, sha256}))}
  }
}
