import { nearestWord } from '../../../../lib/nearest.ts';
import { type Finding, type RuleName, RULES } from './rules.ts';

/** Which findings are told (Dockerfile reference: `check` parser directive). */
export interface CheckConfiguration {
  readonly skips: RuleSet;
  readonly experimental: RuleSet;
  /** Findings fail the build. */
  readonly fails: boolean;
}

type RuleSet = 'all' | readonly string[];

/** What is wrong with the text of a configuration. */
export interface ConfigurationProblem {
  readonly problem: string;
  readonly fix: string;
}

const NOTHING: CheckConfiguration = { skips: [], experimental: [], fails: false };
const OPTIONS = ['skip', 'error', 'experimental'];
const FIX = 'Write for example # check=skip=StageNameCasing,JSONArgsRecommended;error=true';

/** Reads `skip=A,B;error=true;experimental=all`. */
export function parseConfiguration(text: string): CheckConfiguration | ConfigurationProblem {
  let configuration = NOTHING;
  for (const part of text.split(';').map((piece) => piece.trim())) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = (at < 0 ? part : part.slice(0, at)).trim();
    const value = at < 0 ? '' : part.slice(at + 1).trim();
    if (!OPTIONS.includes(name)) {
      const near = nearestWord(name, OPTIONS);
      const problem = `"${name}" is no option of check`;
      return { problem, fix: near === undefined ? `It is one of ${OPTIONS.join(', ')}.` : `Did you mean ${near}?` };
    }
    if (value === '') return { problem: `the option ${name} of check has no value`, fix: FIX };
    if (name === 'error') {
      if (!/^(?:true|false|[tf10])$/i.test(value))
        return { problem: `error is true or false, not "${value}"`, fix: FIX };
      configuration = { ...configuration, fails: /^[t1]/i.test(value) };
    } else {
      const rules = value === 'all' ? 'all' : value.split(',').map((word) => word.trim());
      configuration = { ...configuration, [name === 'skip' ? 'skips' : 'experimental']: rules };
    }
  }
  return configuration;
}

/** Names of rules that are not known, but are like one that is: they are mistyped. */
export function mistypedRules({
  skips,
  experimental,
}: CheckConfiguration): readonly { readonly name: string; readonly near: string }[] {
  const known = Object.keys(RULES);
  return [skips, experimental].flatMap((rules) =>
    (rules === 'all' ? [] : rules).flatMap((name) => {
      const near = known.includes(name) ? undefined : nearestWord(name, known);
      return near === undefined ? [] : [{ name, near }];
    }),
  );
}

/** The findings that are told; a `# check=` above an instruction adds to the file's own. */
export function toldFindings(findings: readonly Finding[], configuration: CheckConfiguration): readonly Finding[] {
  return findings.filter(({ rule, comments }) => {
    const both = [configuration, ...commentConfigurations(comments)];
    const isNamed = (kind: 'skips' | 'experimental'): boolean => both.some((one) => includes(one[kind], rule));
    return RULES[rule].isExperimental ? isNamed('experimental') : !isNamed('skips');
  });
}

function includes(rules: RuleSet, rule: RuleName): boolean {
  return rules === 'all' || rules.includes(rule);
}

function commentConfigurations(comments: readonly string[]): readonly CheckConfiguration[] {
  return comments.flatMap((comment) => {
    const [, text] = /^check\s*=\s*(.+)$/i.exec(comment) ?? [];
    const configuration = text === undefined ? undefined : parseConfiguration(text);
    return configuration === undefined || 'problem' in configuration ? [] : [configuration];
  });
}
