import {Args} from '@oclif/core'
import {readSettings} from '../../src/config/settings.js'
import {imageContext} from '../../src/environments/image-context.js'
import {ImagePull as Pull, type PulledImage} from '../../src/images/pull-image.js'
import {parseImageReference} from '../../src/images/reference.js'
import {allowSha1Flag, dryRunFlag} from '../../src/ui/arguments.js'
import {EnvsCommand} from '../../src/ui/command.js'
import {renderFields} from '../../src/ui/fields.js'
import {formatBytes} from '../../src/ui/size.js'
import {unpackProgress} from '../../src/ui/unpack-progress.js'

export default class ImagePull extends EnvsCommand {
  static override summary = 'Fetch an image, verify it and keep it.'
  static override description =
    `The publisher is always asked which one is the newest; one that is kept already is not fetched again. With --dry-run: \
only tells which one that is.`
  static override hiddenAliases = ['image:fetch']
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ubuntu:noble/minimal --dry-run --json',
  ]
  static override args = {
    image: Args.string({description: 'name of the image', ignoreStdin: true, required: true}),
  }
  static override flags = {'dry-run': dryRunFlag(), 'allow-sha1-signatures': allowSha1Flag()}

  async run(): Promise<PulledImage & {dryRun: boolean}> {
    const {args, flags} = await this.parse(ImagePull)
    const host = this.openHost()
    const signal = this.signal()
    const dryRun = flags['dry-run'] === true
    const allowSha1 = flags['allow-sha1-signatures'] === true
    const settings = await readSettings(host)
    const context = imageContext(host, settings, {signal, allowSha1, onNotice: this.tellNotice})
    const reference = parseImageReference(args.image, {workingFolder: host.workingFolder})
    const pull = new Pull(reference, host, context)
    const progress = unpackProgress(() => performance.now())
    await this.runStages([
      {title: 'Find', run: () => pull.find()},
      ...(dryRun ? [] : [progress.stage('Fetch', () => pull.fetch({signal, onProgress: progress.transfer}))]),
    ])
    const pulled = pull.describe()
    if (dryRun) this.#printPlan(pulled)
    else
      this.print(
        `${pulled.wasKept ? 'Had' : 'Fetched'} ${pulled.name} ${pulled.version}, sha256:${pulled.sha256}`,
      )
    return {...pulled, dryRun}
  }

  #printPlan({name, version, url, sizeBytes, sha256, signer, signedAt, wasKept}: PulledImage): void {
    this.print(
      renderFields([
        ['Name', name],
        ['Version', version],
        ['URL', url],
        ['Size', sizeBytes === null ? undefined : formatBytes(sizeBytes)],
        ['Digest', `sha256:${sha256}`],
        ['Signer', `${signer.name}, ${signer.fingerprint}`],
        ['Signed', signedAt.toISOString()],
        ['Would be', wasKept ? 'taken from here: it is kept' : 'fetched'],
      ]),
    )
  }
}
