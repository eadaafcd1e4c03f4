import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import typescript from 'typescript-eslint';

export default typescript.config(
  {
    ignores: ['lib', 'node_modules', 'coverage', 'contract', '*.js']
  },
  js.configs.recommended,
  ...typescript.configs.strict,
  { plugins: { jupyter } },
  jupyter.configs.recommended,
  a11y.flatConfigs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { 'react-hooks': hooks },
    languageOptions: {
      globals: globals.browser,
      parserOptions: { project: 'tsconfig.json' }
    },
    rules: {
      ...hooks.configs.recommended.rules,
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': [
        'error',
        { checksVoidReturn: false }
      ],
      '@typescript-eslint/consistent-type-imports': 'off',
      // The panel is small, and shown at once: nothing is gained by loading it later.
      'jupyter/prefer-lazy-imports': 'off',
      // Scrolled by the keyboard, as WCAG asks.
      'jsx-a11y/no-noninteractive-tabindex': ['error', { roles: ['log'] }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        {
          ignoreRestSiblings: true,
          varsIgnorePattern: '^_$',
          argsIgnorePattern: '^_'
        }
      ],
      curly: ['error', 'all'],
      eqeqeq: 'error'
    }
  },
  prettier
);
