import {nameArg} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {Args, Flags} from '../src/cli/parse.js'
import {imageFlags, imageWish, PublishingCommand} from '../src/cli/publishing-command.js'
import type {PushResult} from '../src/environments/publish/push.js'

export default class Push extends PublishingCommand {
  static override summary = 'Write an environment to a registry of images.'
  static override description =
    `Makes an image with layers, as envs export --format oci does: one layer of the image that the environment was \
made from, one for each snapshot, and one for the changes since. Blobs that the registry has are not sent again. The \
environment must not be running. Sign in with podman login or docker login, whose files are read.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play registry.example.com/team/play:1.0',
    '<%= config.bin %> <%= command.id %> play localhost:5000/play --format docker --cmd \'["nginx"]\'',
  ]
  static override args = {
    name: nameArg(),
    reference: Args.string({
      description: 'name of the image in the registry: HOST/NAME[:TAG]',
      ignoreStdin: true,
      required: true,
    }),
  }
  static override flags = {
    format: Flags.option({
      description: "media types: OCI's, or those of Docker's schema 2 [default: oci]",
      options: ['oci', 'docker'] as const,
      helpGroup: 'IMAGE',
    })(),
    ...imageFlags(),
  }

  async run(): Promise<PushResult> {
    const {args, flags} = await this.parse(Push)
    const host = this.openHost()
    const request = {name: args.name, to: args.reference, ...imageWish(flags, flags.format ?? 'oci')}
    const settings = await this.settings()
    const result = await this.runPublishing('Push', async (options) => {
      const {pushImage} = await import('../src/environments/publish/push.js')
      return pushImage(host, request, {settings, ...options})
    })
    const sent = result.blobs.filter(({how}) => how === 'sent')
    const sentBytes = sent.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
    this.print(`Pushed ${result.name} to ${result.reference}`)
    this.note(
      `${result.digest}; ${formatBytes(sentBytes)} sent in ${sent.length} of ${result.blobs.length} blobs`,
    )
    return result
  }
}
