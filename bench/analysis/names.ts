/** Judges of a comparison, in its order. Settings of the peers are those of their documentation. */
export const JUDGE_NAMES: Readonly<Record<string, string>> = {
  bascule: 'Bascule, defaults',
  eager: 'Bascule, design effect 1, one metric',
  turner: 'Turner et al., plug-in',
  peeking: 'z test at 1 %, at every look',
  flagger: 'Flagger: ≥ 99 % a minute, 10 bad',
  argo: 'Argo: ≥ 95 % in 5 minutes, 4 bad',
  argoStrict: 'Argo: ≥ 99 % a minute, 1 bad',
  kayenta: 'Kayenta, once after 60 minutes',
  kayentaOften: 'Kayenta, every 10 minutes',
};
