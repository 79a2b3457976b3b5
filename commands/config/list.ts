import {EnvsCommand} from '../../src/cli/command.js'
import type {SettingResult} from '../../src/config/results.js'
import {settingNames} from '../../src/config/schema.js'
import {settingEntry, showSettingValue} from '../../src/config/settings.js'

export default class ConfigList extends EnvsCommand {
  static override summary = 'Show every setting, its value and the source of the value.'
  static override description =
    `Flags take precedence over variables, variables over the file, the file over the built-in value.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  async run(): Promise<SettingResult[]> {
    await this.parse(ConfigList)
    const settings = await this.settings()
    const entries = settingNames().map((name) => settingEntry(settings, name))
    this.printTable(entries, [
      {title: 'setting', show: ({name}) => name},
      {title: 'value', show: (entry) => showSettingValue(entry) || '-'},
      {title: 'from', show: ({origin}) => origin},
      {title: 'variable', rank: 2, show: ({variable}) => variable},
    ])
    return entries
  }
}
