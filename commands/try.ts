import {readSettings} from '../src/config/settings.js'
import {overBudget} from '../src/environments/disk-budget.js'
import {imageContext} from '../src/environments/image-context.js'
import {gapsOnHost} from '../src/environments/isolation-gaps.js'
import {Trying} from '../src/environments/try.js'
import {readTryWords} from '../src/environments/try-words.js'
import {isInteractive} from '../src/host/terminal.js'
import {sessionFields} from '../src/sandbox/session-options.js'
import {architectureFlag, architectureIn, sessionFlags} from '../src/ui/arguments.js'
import {runCreation} from '../src/ui/creation-stages.js'
import {Args, Flags} from '../src/ui/definitions.js'
import {splitAtSeparator} from '../src/ui/guest-arguments.js'
import {SessionCommand} from '../src/ui/session-command.js'
import {formatBytes} from '../src/ui/size.js'

export default class Try extends SessionCommand {
  static override enableJsonFlag = false
  static override summary = 'Try something in an environment that goes when you leave it.'
  static override description =
    `The first word is the image if it is a path, a URL or the name of a published image (envs image search); all others \
are packages, installed first. Then a login shell, or COMMAND, whose exit status is ours; 125 when envs or the \
installation failed. What runs inside ends with it. For an hour envs keep still makes it one that stays. What is \
written inside lies in memory where that can be, up to a quarter of what is free, and goes with a power cut.`
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
    arch: architectureFlag(),
    disk: Flags.boolean({description: 'write to the disk: for much, where memory is for little'}),
  }

  async run(): Promise<undefined> {
    const {own, guest} = splitAtSeparator(this.argv)
    const {argv, flags} = await this.parse(Try, own)
    const host = this.openHost()
    const architecture = architectureIn(flags) ?? host.architecture
    const words = await readTryWords(argv.map(String), {...host, architecture})
    const settings = await readSettings(host)
    const diskBudget = settings.value('diskBudget')
    const signal = this.signal()
    const context = imageContext(host, settings, {signal, onNotice: this.tellNotice})
    const request = {
      words,
      architecture,
      keepAs: flags.keep,
      onDisk: flags.disk,
    }
    const around = {settings, context, signal, onNotice: this.tellNotice}
    const trying = await Trying.begin(host, request, around)
    const fields = sessionFields(flags)
    try {
      await this.#make(trying)
      this.warnOfGaps(await gapsOnHost(host, trying.creation.engine))
      this.warnOfBudget(await overBudget(host, diskBudget))
      await trying.install({variables: fields.variables, isQuiet: this.quiet})
      this.releaseSignals()
      process.exitCode = await trying.run({command: guest, ...fields})
    } finally {
      this.#tellOfFullMemory(await trying.fullMemoryBytes())
      await trying.end()
    }
    if (flags.keep === undefined && isInteractive())
      this.note('To keep this environment, within an hour: envs keep NAME')
  }

  #tellOfFullMemory(bytes: number | undefined): void {
    if (bytes === undefined) return
    this.warn(
      `The memory of the environment (${formatBytes(bytes)}) is full. To write to the disk: envs try --disk`,
    )
  }

  async #make({creation}: Trying): Promise<void> {
    try {
      await runCreation(creation, this.creationHooks())
    } finally {
      await creation.close()
    }
  }
}
