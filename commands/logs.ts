import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg, parseSince} from '../src/cli/flags.js'
import {Flags} from '../src/cli/parse.js'
import {printLog} from '../src/environments/boot/logs.js'

export default class Logs extends EnvsCommand {
  static override enableJsonFlag = false
  static override summary = 'Show the logs of services and programs.'
  static override description =
    `Shows the journal of an environment with systemd, the files of the supervisor of services, or the output of a \
program in the background (envs run --detach). Of an environment with an init that is stopped: the console of its \
last run.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play --unit nginx --since 10m',
    '<%= config.bin %> <%= command.id %> play --unit web --follow',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = {
    unit: Flags.string({
      char: 'u',
      description: 'one unit, or one program [default: all units]',
      helpValue: 'UNIT',
    }),
    follow: Flags.boolean({char: 'f', description: 'wait for more lines until you press Ctrl-C'}),
    since: Flags.string({
      description: 'lines from a time on: 10m, 2h, 1d ago, or 2026-01-31T08:00',
      helpValue: 'TIME',
    }),
  }

  async run(): Promise<undefined> {
    const {args, flags} = await this.parse(Logs)
    const host = this.openHost()
    const since = flags.since === undefined ? undefined : parseSince(flags.since, host.now())
    process.exitCode = await printLog(host, args.name, {unit: flags.unit, since, follows: flags.follow})
  }
}
