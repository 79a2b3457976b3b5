import {openHost} from '../../host/host.js'
import {compareTrees} from '../comparison/compare-trees.js'
import {NO_MARKS, readLayerMarks} from '../comparison/layer-marks.js'
import type {TreeDifference} from '../comparison/report.js'
import type {CompareRequest} from '../worker-request.js'

export async function compare({before, after, ...options}: CompareRequest): Promise<TreeDifference> {
  const folders = [...new Set([...before, ...after])]
  const marks = await readLayerMarks(folders, openHost())
  const order = (tree: readonly string[]) => tree.map((folder) => folders.indexOf(folder))
  const layers = folders.map((folder, index) => ({folder, marks: marks[index] ?? NO_MARKS}))
  return compareTrees({layers, before: order(before), after: order(after)}, options)
}
