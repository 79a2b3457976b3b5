import type {ExposureLine, ExposureResult} from '../../environments/exposure/results.js'
import type {Column} from '../table.js'

/** The columns of a report; an area is named once. */
export function exposureColumns(lines: readonly ExposureLine[]): readonly Column<ExposureLine>[] {
  return [
    {
      title: 'area',
      show: (each) => (lines[lines.indexOf(each) - 1]?.area === each.area ? '' : each.area),
    },
    {title: 'level', show: ({level}) => level},
    {title: 'what', show: ({text}) => text},
  ]
}

/** Says where the facts of a report come from. */
export function describeEvidence({name, isRunning, profile}: ExposureResult): string {
  return isRunning
    ? `${name} runs with the profile ${profile}: by the kernel's own tables.`
    : `${name} is stopped: its next start would give it this, with the profile ${profile}.`
}
