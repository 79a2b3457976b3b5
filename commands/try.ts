import {SessionCommand} from '../src/cli/command.js'
import {
  architectureFlag,
  architectureIn,
  networkFlags,
  networkIn,
  offlineFlag,
  sessionFlags,
} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {Args, Flags} from '../src/cli/parse.js'
import {splitAtSeparator} from '../src/cli/session-line.js'
import {runCreation} from '../src/cli/views/creation.js'
import {imageContext} from '../src/environments/create/request.js'
import {readTryWords, TryRun} from '../src/environments/try/try.js'
import {gapsOnHost} from '../src/features/isolation-gaps.js'
import {isInteractive} from '../src/host/machine/proc.js'
import {sessionFields} from '../src/sandbox/session-options.js'
import {overBudget} from '../src/store/sizes.js'

export default class Try extends SessionCommand {
  static override enableJsonFlag = false
  static override summary = 'Use a throwaway environment.'
  static override description =
    `The first word is the image if it is a path, a URL or the name of a published image (see envs image search); all \
other words are packages, which are installed first. Runs a login shell, or COMMAND, and exits with its status, or \
with 125 if envs or the installation failed. All processes inside end with the shell or COMMAND. envs keep can keep \
the environment for an hour afterwards. Files are written to memory if possible, up to a quarter of the free memory, \
and are lost at a power failure.`
  static override usage = 'try [IMAGE] [PACKAGE...] [FLAG...] [-- COMMAND [ARGUMENT...]]'
  static override aliases = ['ephemeral']
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
    ...sessionFlags('env', 'user', 'volume', 'workdir'),
    keep: Flags.string({description: 'name under which to keep the environment', helpValue: 'NAME'}),
    arch: architectureFlag(),
    offline: offlineFlag(),
    ...networkFlags(),
    disk: Flags.boolean({description: 'write to disk instead of memory, for large installations'}),
  }

  async run(): Promise<undefined> {
    const {own, guest} = splitAtSeparator(this.argv)
    const {argv, flags} = await this.parse(Try, own)
    const host = this.openHost()
    const architecture = architectureIn(flags) ?? host.architecture
    const words = await readTryWords(argv.map(String), {...host, architecture})
    const settings = await this.settings()
    const diskBudget = settings.value('diskBudget')
    const signal = this.signal()
    const context = imageContext(host, settings, {
      signal,
      offline: flags.offline,
      onNotice: this.reportNotice,
    })
    const request = {
      words,
      architecture,
      keepAs: flags.keep,
      onDisk: flags.disk,
      settings: networkIn(flags),
    }
    const around = {settings, context, signal, onNotice: this.reportNotice}
    const trying = await TryRun.begin(host, request, around)
    const fields = sessionFields({...flags, network: undefined})
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

  async #make({creation}: TryRun): Promise<void> {
    try {
      await runCreation(creation, this.creationHooks())
    } finally {
      await creation.close()
    }
  }
}
