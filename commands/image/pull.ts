import {EnvsCommand} from '../../src/cli/command.js'
import {
  allowSha1Flag,
  architectureFlag,
  architectureIn,
  archiveFlags,
  archiveOptions,
  dryRunFlag,
} from '../../src/cli/flags.js'
import {formatBytes} from '../../src/cli/format.js'
import {Args} from '../../src/cli/parse.js'
import {renderFields} from '../../src/cli/table.js'
import {makingStages, unpackProgress} from '../../src/cli/views/creation.js'
import {readSettings} from '../../src/config/settings.js'
import type {ImageAcquisition, PulledImage} from '../../src/environments/create/image-acquisition.js'
import {beginPull} from '../../src/environments/create/pull.js'
import {imageContext} from '../../src/environments/create/request.js'
import type {DownloadEvent} from '../../src/host/http/attempt.js'
import type {PulledImageResult} from '../../src/images/results.js'

export default class ImagePull extends EnvsCommand {
  static override summary = 'Download an image, verify it and cache it.'
  static override description =
    `Always asks the publisher for the newest version; an image that is cached already is not downloaded again. With \
--dry-run: only shows the newest version.`
  static override aliases = ['image:fetch']
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ubuntu:noble/minimal --dry-run --json',
  ]
  static override args = {
    image: Args.string({description: 'name of the image', ignoreStdin: true, required: true}),
  }
  static override flags = {
    'dry-run': dryRunFlag(),
    'allow-sha1-signatures': allowSha1Flag(),
    arch: architectureFlag("processor that its programs are for; the host's when left out"),
    ...archiveFlags(),
  }

  async run(): Promise<PulledImageResult> {
    const {args, flags} = await this.parse(ImagePull)
    const host = this.openHost()
    const signal = this.signal()
    const dryRun = flags['dry-run'] === true
    const allowSha1 = flags['allow-sha1-signatures'] === true
    const settings = await readSettings(host)
    const context = imageContext(host, settings, {signal, allowSha1, onNotice: this.reportNotice})
    const wish = {
      image: args.image,
      architecture: architectureIn(flags) ?? host.architecture,
      archive: archiveOptions(flags),
    }
    const pull = await beginPull(host, wish, {settings, context, signal, onNotice: this.reportNotice})
    try {
      await (pull.isMade ? this.#make(pull, dryRun) : this.#fetch(pull, dryRun))
    } finally {
      await pull.close()
    }
    if (pull.fallback !== undefined) this.note(pull.fallback)
    const pulled = pull.describe()
    this.#tell(pulled, {dryRun, fetched: pull.isMade ? 'Made' : 'Fetched'})
    return {...pulled, dryRun}
  }

  async #fetch(pull: ImageAcquisition, dryRun: boolean): Promise<void> {
    const progress = unpackProgress(() => performance.now())
    const onProgress = (event: DownloadEvent) => {
      this.noteDownload(event)
      progress.transfer(event)
    }
    const fetch = progress.stage('Fetch', () => pull.keep({onProgress}))
    await this.runStages([
      {
        title: 'Find',
        async run() {
          await pull.resolve({})
        },
      },
      ...(dryRun ? [] : [fetch]),
    ])
  }

  async #make(pull: ImageAcquisition, dryRun: boolean): Promise<void> {
    let isNeeded = false
    await this.runStages(
      makingStages({
        choose: async (tell) => {
          isNeeded = (await pull.resolve({onMaking: tell})) === 'make'
          return isNeeded && !dryRun
        },
        make: (tell) => pull.keep({onMaking: tell, onProgress: this.noteDownload}),
        onDownload: this.noteDownload,
      }),
    )
    // An image that is here is written down as the answer of the day, without a stage.
    if (!isNeeded && !dryRun) await pull.keep({onProgress: this.noteDownload})
  }

  #tell(pulled: PulledImage, {dryRun, fetched}: {dryRun: boolean; fetched: string}): void {
    const {name, version, sha256, wasKept} = pulled
    if (dryRun) this.#printPlan(pulled)
    else this.print(`${wasKept ? 'Had' : fetched} ${name} ${version}, sha256:${sha256}`)
  }

  #printPlan({name, version, url, sizeBytes, sha256, signer, signedAt, wasKept}: PulledImage): void {
    this.print(
      renderFields([
        ['Name', name],
        ['Version', version],
        ['URL', url],
        ['Size', sizeBytes === null ? undefined : formatBytes(sizeBytes)],
        ['Digest', sha256 === null ? undefined : `sha256:${sha256}`],
        ['Signer', `${signer.name}, ${signer.fingerprint}`],
        ['Signed', signedAt.toISOString()],
        ['Would be', wasKept ? 'found on this host' : sha256 === null ? 'made' : 'fetched'],
      ]),
    )
  }
}
