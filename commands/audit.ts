import {EnvsCommand} from '../src/cli/command.js'
import {Args, Flags} from '../src/cli/parse.js'
import {audit} from '../src/environments/exposure/exposure.js'
import {EXPOSURE_LEVELS, type ExposureLevel} from '../src/environments/exposure/levels.js'
import type {AuditResult} from '../src/environments/exposure/results.js'
import {ExitCode} from '../src/errors.js'

export default class Audit extends EnvsCommand {
  static override summary = 'List what environments can see and use of the host.'
  static override description =
    `Shows each environment with its highest level of exposure (none, low, medium, high) and the reasons for that level, \
by the tables of the kernel for one that runs. envs show --exposure NAME shows all lines of one. With --fail-on, the exit status is 10 if \
an environment has the level, or a higher one, or could not be examined.`
  static override usage = 'audit [NAME...] [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --fail-on high',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {
    names: Args.string({description: 'environments [default: all]', ignoreStdin: true}),
  }
  static override flags = {
    'fail-on': Flags.string({
      description: 'level that is a finding, as each higher one',
      options: EXPOSURE_LEVELS.filter((each) => each !== 'none'),
    }),
  }

  async run(): Promise<AuditResult> {
    const {argv, flags} = await this.parse(Audit)
    const setting = (await this.settings()).value('engine')
    const failOn = EXPOSURE_LEVELS.find((level) => level === flags['fail-on'])
    const {result, isFound} = await audit(this.openHost(), argv.map(String), {setting, failOn})
    this.printTable(result.environments, [
      {title: 'name', show: ({name}) => name},
      {title: 'level', show: ({level}) => level},
      {title: 'profile', rank: 2, show: ({profile}) => profile},
      {title: 'state', rank: 1, show: ({isRunning}) => (isRunning ? 'running' : 'stopped')},
      {title: 'reasons', isCut: true, show: ({lines, level}) => reasons(lines, level)},
    ])
    for (const name of result.unknown)
      this.warn(`${name} is damaged, and was not examined: envs doctor --check`)
    if (isFound) process.exitCode = ExitCode.found
    return result
  }
}

/** Codes of the lines with the highest level. */
function reasons(lines: AuditResult['environments'][number]['lines'], level: ExposureLevel): string {
  const found = lines.filter((each) => each.level === level).map(({area, code}) => `${area} ${code}`)
  return [...new Set(found)].join(', ')
}
