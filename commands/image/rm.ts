import {Args} from '@oclif/core'
import {removeImages} from '../../src/images/cache/remove-images.js'
import {yesFlag} from '../../src/ui/arguments.js'
import {EnvsCommand} from '../../src/ui/command.js'

export default class ImageRm extends EnvsCommand {
  static override summary = 'Remove kept images.'
  static override description =
    `IMAGE is a name as envs image list shows it or as envs create takes it, or a digest or the first 8 digits of it. \
Environments that were made from it stay as they are. Never asks: an image can be fetched again.`
  static override usage = 'image rm IMAGE... [FLAG...]'
  static override hiddenAliases = ['image:remove', 'image:delete']
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ubuntu:focal/cloud 60e216b60947',
  ]
  static override args = {
    images: Args.string({description: 'names or digests of images', ignoreStdin: true, required: true}),
  }
  static override flags = {yes: yesFlag()}

  async run(): Promise<{removed: {name: string; version: string; sha256: string}[]}> {
    const {argv} = await this.parse(ImageRm)
    const {paths, architecture, now} = this.openHost()
    const removed = await removeImages(paths.images, argv.map(String), {architecture, now: now()})
    for (const {name, version} of removed) this.note(`Removed ${name} ${version}.`)
    return {removed: removed.map(({name, version, sha256}) => ({name, version, sha256}))}
  }
}
