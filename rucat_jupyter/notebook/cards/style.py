"""The style of cards, tables and forms; it uses JupyterLab's colours, so it fits every theme."""

STYLE = """<style>
.rucat-card, .rucat-table, .rucat-form {
  border: 1px solid var(--jp-border-color1); border-radius: 3px; padding: 6px 10px; margin: 2px 2px 4px 0;
  overflow: visible; color: var(--jp-ui-font-color1); background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1); box-sizing: border-box; max-width: 960px; width: auto;
}
.rucat-card .widget-box, .rucat-card .jupyter-widgets, .rucat-form .widget-box, .rucat-table .widget-box {
  overflow: visible; min-width: 0;
}
.rucat-card .widget-html, .rucat-card .widget-html-content, .rucat-table .widget-html, .rucat-form .widget-html,
.rucat-table .widget-html-content, .rucat-form .widget-html-content {
  height: auto; min-height: 0; width: auto; margin: 0; line-height: 1.5; max-width: 100%; color: inherit;
  overflow-wrap: anywhere; white-space: normal; font-size: inherit;
}
.rucat-card > .widget-html, .rucat-table > .widget-html { flex: 0 0 auto; }
.rucat-head, .rucat-line { display: flex; flex-wrap: wrap; column-gap: 8px; align-items: baseline; }
.rucat-name { font-weight: 600; overflow-wrap: anywhere; }
.rucat-shape { font-weight: 400; margin-right: 6px; }
.rucat-about, .rucat-aside { margin-left: auto; color: var(--jp-ui-font-color1); text-align: right; }
.rucat-alert, .rucat-card .rucat-alert { color: var(--rucat-alert); font-weight: 600; }
.rucat-card, .rucat-table, .rucat-form, .rucat-static { --rucat-alert: var(--jp-error-color1); }
.rucat-bar { height: 3px; overflow: hidden; background: var(--jp-layout-color3); border-radius: 2px; margin: 4px 0; }
.rucat-bar i { display: block; width: 30%; height: 100%; background: var(--jp-brand-color1);
  animation: rucat-slide 2s ease-in-out infinite alternate; }
@keyframes rucat-slide { from { margin-left: 0 } to { margin-left: 70% } }
@media (prefers-reduced-motion: reduce) { .rucat-bar i { animation: none; width: 100%; } }
.rucat-form > .jupyter-button, .rucat-table > .jupyter-button { align-self: flex-start; }
.rucat-card .jupyter-button, .rucat-form .jupyter-button, .rucat-table .jupyter-button, .rucat-button {
  width: auto; height: 26px; line-height: 24px; margin: 4px 6px 0 0; padding: 0 10px; border-radius: 2px;
  color: var(--jp-ui-font-color1); background: var(--jp-layout-color2); border: 1px solid var(--jp-border-color1);
  font-size: var(--jp-ui-font-size1); text-decoration: none; box-shadow: none; display: inline-block; flex: 0 0 auto;
  max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; cursor: pointer;
  box-sizing: border-box; vertical-align: top; font-family: inherit;
}
.rucat-links { display: inline-flex; flex-wrap: wrap; }
.rucat-card a.rucat-button, .rucat-card a.rucat-button:visited { color: var(--jp-ui-font-color1); }
.rucat-card .jupyter-button:hover, .rucat-form .jupyter-button:hover,
.rucat-table .jupyter-button:hover { background: var(--jp-layout-color3); }
.rucat-card :focus-visible, .rucat-form :focus-visible, .rucat-table :focus-visible {
  outline: 2px solid var(--jp-brand-color1) !important; outline-offset: 1px;
}
.rucat-card .rucat-danger.jupyter-button { border-color: var(--rucat-alert); color: var(--rucat-alert); }
.rucat-remedy.jupyter-button { border-color: var(--jp-brand-color1); font-weight: 600; }
.rucat-log, .rucat-card .rucat-log {
  max-height: 240px; overflow: auto; margin: 6px 0 0; padding: 6px; white-space: pre; font-size: 12px;
  font-family: var(--jp-code-font-family); background: var(--jp-layout-color2); color: var(--jp-ui-font-color1);
}
.rucat-ask, .rucat-operation { margin-right: 8px; }
.rucat-query { font-family: var(--jp-code-font-family); font-size: 12px; }
.rucat-scroll { overflow-x: auto; max-width: 100%; container-type: inline-size; }
@container (max-width: 620px) {
  .rucat-scroll thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
  .rucat-scroll table, .rucat-scroll tbody { display: block; }
  .rucat-scroll tr { display: block; padding: 4px 0; border-bottom: 1px solid var(--jp-border-color1); }
  .rucat-table .rucat-scroll td { display: inline-block; white-space: normal; min-width: 0; overflow-wrap: anywhere; }
  .rucat-table .rucat-scroll td.rucat-cell-name { display: block; font-weight: 600; }
}
.rucat-table table { border-collapse: collapse; margin: 0; color: inherit; font-size: inherit; }
.rucat-table th, .rucat-table td {
  text-align: left; vertical-align: top; padding: 2px 14px 2px 0; white-space: nowrap;
}
.rucat-table td:last-child { white-space: normal; min-width: 12em; }
.rucat-table th { font-weight: 600; border-bottom: 1px solid var(--jp-border-color1); }
.rucat-table td.rucat-cell-name { white-space: normal; overflow-wrap: anywhere; min-width: 9em; }
.rucat-form .widget-inline-hbox { flex-wrap: wrap; height: auto; }
.rucat-form .widget-inline-hbox > .widget-label { color: inherit; text-align: left; flex: 0 1 190px; }
.rucat-form .widget-inline-hbox > input, .rucat-form .widget-inline-hbox > select,
.rucat-form .widget-inline-hbox > textarea { box-sizing: border-box; min-height: 28px; }
.rucat-form .widget-inline-hbox > input, .rucat-form .widget-inline-hbox > select,
.rucat-form .widget-inline-hbox > textarea { flex: 1 1 160px; min-width: 0; }
.rucat-table .widget-dropdown > .widget-label { width: auto; color: inherit; }
.rucat-form .rucat-error { color: var(--rucat-alert); margin-left: 0; }
.rucat-form .rucat-title { font-weight: 600; }
</style>"""
