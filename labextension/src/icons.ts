import { LabIcon } from '@jupyterlab/ui-components';

// `jp-icon3` is recoloured by every theme.
const CHIP = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <g class="jp-icon3" fill="#616161">
    <path d="M8 2h1.6v3H8zM14.4 2H16v3h-1.600zM8 19h1.600v3H8zM14.400 19H16v3h-1.600zM2 8h3v1.600H2zM2 14.400h3V16H2zM19 8h3v1.600h-3zM19 14.400h3V16h-3z"/>
    <path fill-rule="evenodd" d="M6.500 5h11A1.500 1.500 0 0 1 19 6.500v11a1.500 1.500 0 0 1-1.500 1.500h-11A1.500 1.500 0 0 1 5 17.500v-11A1.500 1.500 0 0 1 6.500 5zm.3 1.800v10.400h10.400V6.800z"/>
    <path d="M8.500 9.500h7v1.400h-7zM8.500 12.700h4.600v1.400H8.500z"/>
  </g>
</svg>`;

/** A chip with two lines of text. */
export const lmnbIcon = new LabIcon({ name: 'lmnb:logo', svgstr: CHIP });
