import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg} from '../src/cli/flags.js'
import {escapeLines, showsColours, writeOutput} from '../src/cli/output.js'
import {Flags} from '../src/cli/parse.js'
import {
  describeRepair,
  renderChecks,
  renderEnvironmentReport,
  renderStoreCheck,
  renderTicket,
  withColour,
} from '../src/cli/views/doctor.js'
import type {HostReportResult} from '../src/doctor/results.js'
import {archiveContext, imageContext} from '../src/environments/create/request.js'
import {type EnvironmentReport, examineEnvironment} from '../src/environments/doctor/environment.js'
import {examineHostAndEngines, type HostReport} from '../src/environments/doctor/report.js'
import type {
  EnvironmentReportResult,
  RepairResult,
  StoreCheckResult,
} from '../src/environments/doctor/results.js'
import {checkStore, type StoreCheck} from '../src/environments/doctor/store-check.js'
import {repairStore} from '../src/environments/doctor/store-repair.js'
import type {Repair} from '../src/environments/repair.js'
import {FETCHABLE, FETCHABLE_NAMES, type FetchedTool, fetchTool} from '../src/environments/tools/fetch.js'
import {ExitCode, UsageError} from '../src/errors.js'

export default class Doctor extends EnvsCommand {
  static override summary = 'Check this host, or an environment, for problems and their remedies.'
  static override description =
    `Without NAME: checks the host, prints a text to send to an administrator, and exits with 7 if no environment can \
run here. With NAME: lists files of the image that the environment could not get as they are (owners, capabilities, \
device nodes) and packages that need more than the environment provides. Changes nothing without a flag. --check \
checks the store, or the files of one environment: records, layers, images; it exits with 10 if there is a problem. --repair \
removes leftovers of killed commands, ends processes that keep an environment from starting, and repairs the problems of --check \
that can be repaired without a loss. --fetch gets a program that the host lacks; a program of the host takes precedence.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> --check',
    '<%= config.bin %> <%= command.id %> --repair',
    '<%= config.bin %> <%= command.id %> --fetch proot',
  ]
  static override args = {name: optionalNameArg('name of an environment [default: the host]')}
  static override flags = {
    check: Flags.boolean({
      description: 'check the store, or one environment of it',
      exclusive: ['fetch', 'repair'],
    }),
    digests: Flags.boolean({
      description: 'with --check: also read each image and compare its digest',
      dependsOn: ['check'],
    }),
    fetch: Flags.string({
      description: 'program to install from Debian, verified, into your data folder',
      exclusive: ['repair'],
      options: [...FETCHABLE_NAMES],
    }),
    repair: Flags.boolean({description: 'repair the store, or one environment of it'}),
  }

  async run(): Promise<
    HostReportResult | EnvironmentReportResult | StoreCheckResult | RepairResult | FetchedTool
  > {
    const {args, flags} = await this.parse(Doctor)
    if (flags.fetch !== undefined) {
      if (args.name !== undefined) throw new UsageError('--fetch takes no name.')
      return this.#fetch(flags.fetch)
    }
    if (flags.check) return this.#check(args.name, flags)
    if (flags.repair) return this.#repair(args.name)
    return args.name === undefined ? this.#examineHost() : this.#examineEnvironment(args.name)
  }

  async #fetch(name: string): Promise<FetchedTool> {
    const tool = FETCHABLE_NAMES.find((known) => known === name)
    if (tool === undefined) throw new Error(`${name} is not one of the options`)
    const host = this.openHost()
    const settings = await this.settings()
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

  async #check(name: string | undefined, {digests}: {digests: boolean}): Promise<StoreCheck> {
    const check = await checkStore(this.openHost(), {name, digests, signal: this.signal()})
    for (const line of renderStoreCheck(check)) this.print(line)
    if (check.problems.length > 0) process.exitCode = ExitCode.found
    return check
  }

  async #repair(name: string | undefined): Promise<Repair> {
    const host = this.openHost()
    const settings = await this.settings()
    const repair = await repairStore(host, {name, settings, signal: this.signal()})
    for (const line of describeRepair(repair)) this.print(line)
    if (repair.problems.length > 0) process.exitCode = ExitCode.found
    return repair
  }

  async #examineEnvironment(name: string): Promise<EnvironmentReport> {
    const report = await examineEnvironment(this.openHost(), name)
    for (const line of renderEnvironmentReport(report)) this.print(line)
    return report
  }

  async #examineHost(): Promise<HostReport> {
    const host = this.openHost()
    const report = await examineHostAndEngines(host, await this.settings())
    const hasColours = showsColours(host.environment)
    for (const line of renderChecks(report.checks))
      if (hasColours && !this.jsonEnabled()) writeOutput(`${withColour(escapeLines(line))}\n`)
      else this.print(line)
    if (report.ticket !== null) for (const line of ['', ...renderTicket(report.ticket)]) this.print(line)
    if (!report.canRun) process.exitCode = ExitCode.host
    return report
  }
}
