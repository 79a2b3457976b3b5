import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg} from '../src/cli/flags.js'
import {escapeLines, showsColours, writeOutput} from '../src/cli/output.js'
import {Flags} from '../src/cli/parse.js'
import {
  describeRepair,
  renderChecks,
  renderEnvironmentReport,
  renderTicket,
  withColour,
} from '../src/cli/views/doctor.js'
import {readSettings} from '../src/config/settings.js'
import type {HostReportResult} from '../src/doctor/results.js'
import {archiveContext, imageContext} from '../src/environments/create/request.js'
import {type EnvironmentReport, examineEnvironment} from '../src/environments/doctor/environment.js'
import {examineHostAndEngines, type HostReport} from '../src/environments/doctor/report.js'
import {type Repair, repairStore} from '../src/environments/repair.js'
import type {EnvironmentReportResult, RepairResult} from '../src/environments/results.js'
import {FETCHABLE, FETCHABLE_NAMES, type FetchedTool, fetchTool} from '../src/environments/tools/fetch.js'
import {ExitCode, UsageError} from '../src/errors.js'

export default class Doctor extends EnvsCommand {
  static override summary = 'Check this host, or an environment, for problems and their remedies.'
  static override description =
    `Without NAME: checks the host, prints a text to send to an administrator, and exits with 7 if no environment can \
run here. With NAME: lists files of the image that the environment could not get as they are (owners, capabilities, \
device nodes) and packages that need more than the environment provides. Changes nothing without a flag. --repair \
removes leftovers of killed commands and ends processes that keep an environment from starting. --fetch gets a \
program that the host lacks; a program of the host takes precedence.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> --repair',
    '<%= config.bin %> <%= command.id %> --fetch proot',
  ]
  static override args = {name: optionalNameArg('name of an environment [default: the host]')}
  static override flags = {
    fetch: Flags.string({
      description: 'program to install from Debian, verified, into your data folder',
      exclusive: ['repair'],
      options: [...FETCHABLE_NAMES],
    }),
    repair: Flags.boolean({description: 'repair the store'}),
  }

  async run(): Promise<HostReportResult | EnvironmentReportResult | RepairResult | FetchedTool> {
    const {args, flags} = await this.parse(Doctor)
    if (flags.fetch !== undefined) {
      if (args.name !== undefined) throw new UsageError('--fetch takes no name.')
      return this.#fetch(flags.fetch)
    }
    if (flags.repair && args.name !== undefined) throw new UsageError('--repair takes no name.')
    if (flags.repair) return this.#repair()
    return args.name === undefined ? this.#examineHost() : this.#examineEnvironment(args.name)
  }

  async #fetch(name: string): Promise<FetchedTool> {
    const tool = FETCHABLE_NAMES.find((known) => known === name)
    if (tool === undefined) throw new Error(`${name} is not one of the options`)
    const host = this.openHost()
    const settings = await readSettings(host)
    const context = imageContext(host, settings, {signal: this.signal()})
    const archive = archiveContext(host, settings, {...context, onNotice: this.reportNotice})
    let fetched: FetchedTool | undefined
    const run = async () => {
      fetched = await fetchTool(host, FETCHABLE[tool], archive)
    }
    await this.runStages([{title: `Fetch ${tool}`, run}])
    if (fetched === undefined) throw new Error('the stage ended without a result')
    this.print(
      `${fetched.wasKept ? 'Already installed:' : 'Installed'} ${tool} ${fetched.version} in ${fetched.folder}`,
    )
    return fetched
  }

  async #repair(): Promise<Repair> {
    const repair = await repairStore(this.openHost())
    for (const line of describeRepair(repair)) this.print(line)
    return repair
  }

  async #examineEnvironment(name: string): Promise<EnvironmentReport> {
    const report = await examineEnvironment(this.openHost(), name)
    for (const line of renderEnvironmentReport(report)) this.print(line)
    return report
  }

  async #examineHost(): Promise<HostReport> {
    const host = this.openHost()
    const report = await examineHostAndEngines(host, await readSettings(host))
    const hasColours = showsColours(host.environment)
    for (const line of renderChecks(report.checks))
      if (hasColours && !this.jsonEnabled()) writeOutput(`${withColour(escapeLines(line))}\n`)
      else this.print(line)
    if (report.ticket !== null) for (const line of ['', ...renderTicket(report.ticket)]) this.print(line)
    if (!report.canRun) process.exitCode = ExitCode.host
    return report
  }
}
