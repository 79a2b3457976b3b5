import {EnvsCommand} from '../src/cli/command.js'
import {identityFlag, nameArg, parseWait, timingsFlag, waitFlag} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {describeConversion, describeIdentity} from '../src/cli/views/text.js'
import {CloneRun} from '../src/environments/clone.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import {UsageError} from '../src/errors.js'
import {overBudget} from '../src/store/sizes.js'

export default class Clone extends EnvsCommand {
  static override summary = 'Copy an environment.'
  static override description =
    `The copy gets its own name, hostname, machine id and SSH host keys. Snapshots stay with the original. With \
storage overlay nothing is copied: both share the same layers; if the environment is running, its processes are \
frozen while the changes since its start are copied. With storage directory, or with another identity, all files are \
copied, and the environment must not be running; the file system shares blocks if it can.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play spare',
    '<%= config.bin %> <%= command.id %> play real-users --identity mapped',
  ]
  static override args = {name: nameArg(), newName: nameArg('name of the copy')}
  static override flags = {
    identity: identityFlag('kind of users in the copy [default: as in the original]'),
    wait: waitFlag(),
    timings: timingsFlag(),
  }

  async run(): Promise<EnvironmentDetails> {
    const {args, flags} = await this.parse(Clone)
    refuseFiles([args.name, args.newName])
    const host = this.openHost()
    const settings = await this.settings({identity: flags.identity})
    const diskBudget = settings.value('diskBudget')
    const request = {
      from: args.name,
      to: args.newName,
      identity: flags.identity === undefined ? undefined : settings.value('identity'),
      isSynced: settings.value('durable') !== 'never',
    }
    const cloning = await CloneRun.begin(host, request, {
      signal: this.signal(),
      patience: this.patience(parseWait(flags.wait)),
    })
    try {
      await this.runStages([
        {title: 'Copy', run: () => cloning.copy()},
        {title: 'Set up', run: () => cloning.publish()},
      ])
    } finally {
      await cloning.close()
    }
    this.warnOfBudget(await overBudget(host, diskBudget))
    return this.#tell(await showEnvironment(host, cloning.name, settings.value('engine')), cloning)
  }

  #tell(details: EnvironmentDetails, {source, name, identity, frozen}: CloneRun): EnvironmentDetails {
    this.note(`Copied ${source.name} to ${name}.`)
    if (frozen.ms > 0) {
      const {ms, copiedBytes} = frozen
      this.note(
        `The environment is running: its processes were frozen for ${Math.ceil(ms)} ms while ${formatBytes(copiedBytes)} were copied.`,
      )
    }
    if (identity !== source.record.identity) {
      this.note(`Identity ${describeIdentity(identity)}.`)
      this.note(describeConversion(identity, name))
    }
    return details
  }
}

/** Explains `cp NAME:FILE .`, as other tools have it: no name of an environment has a colon. @throws {UsageError} */
function refuseFiles(names: readonly string[]): void {
  const file = names.find((name) => name.includes(':'))
  if (file === undefined) return
  throw new UsageError(`Could not copy "${file}": this command copies a whole environment.`, [
    'Copy files: envs cp SOURCE TARGET',
  ])
}
