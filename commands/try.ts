import {Args, Flags} from '@oclif/core'
import {readSettings} from '../src/config/settings.js'
import {overBudget} from '../src/environments/disk-budget.js'
import {imageContext} from '../src/environments/image-context.js'
import {Trying} from '../src/environments/try.js'
import {readTryWords} from '../src/environments/try-words.js'
import {isInteractive} from '../src/host/terminal.js'
import type {Resolution} from '../src/images/resolve-image.js'
import {sessionFlags} from '../src/ui/arguments.js'
import {splitAtSeparator} from '../src/ui/guest-arguments.js'
import {SessionCommand} from '../src/ui/session-command.js'
import {unpackProgress} from '../src/ui/unpack-progress.js'
import {describeFallback} from '../src/ui/wording.js'

export default class Try extends SessionCommand {
  static override enableJsonFlag = false
  static override summary = 'Try something in an environment that goes when you leave it.'
  static override description =
    `The first word is the image if it is a path, a URL or the name of a published image (envs image search); all others \
are packages, installed first. Then a login shell, or COMMAND, whose exit status is ours; 125 when envs or the \
installation failed. What runs inside ends with it. For an hour envs keep still makes it one that stays. Nothing waits \
for the disk: a power cut takes it.`
  static override usage = 'try [IMAGE] [PACKAGE...] [FLAG...] [-- COMMAND [ARGUMENT...]]'
  static override hiddenAliases = ['ephemeral']
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal nginx',
    '<%= config.bin %> <%= command.id %> ./rootfs.tar.gz',
    '<%= config.bin %> <%= command.id %> jq --quiet -- jq --version',
  ]
  static override args = {
    words: Args.string({description: 'image, then packages', ignoreStdin: true}),
  }
  static override flags = {
    ...sessionFlags(),
    keep: Flags.string({description: 'have it stay, under this name', helpValue: 'NAME'}),
  }

  async run(): Promise<undefined> {
    const {own, guest} = splitAtSeparator(this.argv)
    const {argv, flags} = await this.parse(Try, own)
    const host = this.openHost()
    const words = await readTryWords(argv.map(String), host)
    const settings = await readSettings(host)
    const diskBudget = settings.value('diskBudget')
    const signal = this.signal()
    const context = imageContext(host, settings, {signal, onNotice: this.tellNotice})
    const trying = await Trying.begin(host, {words, keepAs: flags.keep}, {settings, context, signal})
    const variables = flags.env ?? []
    try {
      await this.#make(trying)
      this.warnOfBudget(await overBudget(host, diskBudget))
      await trying.install({variables, isQuiet: this.quiet})
      this.releaseSignals()
      process.exitCode = await trying.run({
        command: guest,
        user: flags.user,
        workingFolder: flags.workdir,
        variables,
        volumes: flags.volume ?? [],
      })
    } finally {
      await trying.end()
    }
    if (flags.keep === undefined && isInteractive()) this.note('It can be kept for an hour: envs keep NAME')
  }

  readonly #tellResolution = (resolution: Resolution): void => {
    if (resolution.kind !== 'kept') return
    const {image, reason} = resolution
    this.tellFallback(describeFallback(image, {reason, now: this.openHost().now()}))
  }

  async #make({creation}: Trying): Promise<void> {
    const progress = unpackProgress(() => performance.now())
    try {
      await this.runStages([
        progress.stage('Fetch', () =>
          creation.fetch({onProgress: progress.transfer, onResolved: this.#tellResolution}),
        ),
        progress.stage('Extract', () => creation.extract(progress.extraction)),
        {title: 'Set up', run: () => creation.publish()},
      ])
    } finally {
      await creation.close()
    }
  }
}
