import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Args} from '../src/cli/parse.js'
import {describeAction, describeReasons, describeWaiting, serviceColumns} from '../src/cli/views/services.js'
import {removePrograms} from '../src/environments/programs/remove.js'
import {actOnServices, SERVICE_ACTIONS, type ServiceAction} from '../src/environments/services/act.js'
import {listServices} from '../src/environments/services/list.js'
import {readServiceLog} from '../src/environments/services/log.js'
import type {
  ServiceActionResult,
  ServiceListResult,
  ServiceLogResult,
} from '../src/environments/services/results.js'
import {UsageError} from '../src/errors.js'

export default class Services extends EnvsCommand {
  static override summary = 'List the services of an environment, or act on some of them.'
  static override description =
    `Without ACTION: shows the state of each service, the ports that it listens on, and whether it starts by itself. In \
an environment without an init, installed services do not start: "would start" marks those that a machine would start. \
With --quiet: names of units only. start, stop and restart act now, by systemctl or, without an init, by the init \
script; enable and disable set what an init starts by itself; log prints the last lines that a service printed. stop also \
ends programs of envs run --detach; rm removes those that have ended from the list, with their logs.`
  static override usage = 'services NAME [ACTION UNIT...] [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play start nginx redis-server',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {
    name: nameArg(),
    action: Args.string({
      description: 'what to do with the units [default: list all]',
      ignoreStdin: true,
      options: [...SERVICE_ACTIONS, 'rm', 'log'],
    }),
    units: Args.string({description: 'names of units', ignoreStdin: true}),
  }

  async run(): Promise<ServiceListResult | ServiceActionResult | ServiceLogResult> {
    const {args, argv} = await this.parse(Services)
    if (args.action === undefined) return this.#list(args.name)
    const units = argv.slice(2).map(String)
    if (units.length === 0)
      throw new UsageError(`No unit was given to ${args.action}.`, [`envs services ${args.name}`])
    if (args.action === 'log') return this.#log(args.name, units)
    const action = SERVICE_ACTIONS.find((known) => known === args.action)
    const done =
      action === undefined
        ? await removePrograms(this.openHost(), args.name, units)
        : await this.#act(args.name, action, units)
    for (const line of describeAction(done)) this.note(line)
    return done
  }

  async #list(name: string): Promise<ServiceListResult> {
    const [host, signal] = [this.openHost(), this.signal()]
    const listed = await listServices(host, name)
    signal.throwIfAborted()
    if (this.quiet) {
      for (const {unit} of listed.services) this.print(unit)
      return listed
    }
    if (listed.services.length === 0) this.note(`${listed.name} has no service.`)
    this.printTable(listed.services, serviceColumns(host.now()))
    for (const reason of describeReasons(listed)) this.note(reason)
    const waiting = describeWaiting(listed)
    if (waiting !== undefined) this.note(waiting)
    return listed
  }

  async #act(name: string, action: ServiceAction, units: readonly string[]): Promise<ServiceActionResult> {
    // Ctrl-C ends a program inside, which then fails: the command tells the signal.
    this.signal()
    return actOnServices(
      this.openHost(),
      name,
      {action, units},
      {
        onOutput: (text) => {
          if (text.trim() !== '') this.note(text.trimEnd())
        },
      },
    )
  }

  async #log(name: string, units: readonly string[]): Promise<ServiceLogResult> {
    const signal = this.signal()
    const log = await readServiceLog(this.openHost(), name, units)
    signal.throwIfAborted()
    if (log.text === '') this.note(`There is no log of ${log.units.join(', ')} in ${log.name}.`)
    else this.print(log.text.trimEnd())
    return log
  }
}
