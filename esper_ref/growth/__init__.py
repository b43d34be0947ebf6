"""Growing for real: `python -m esper_ref grow` trains a host, grows seeds in it, and compares.

To read it as a story: `life`, the loop over one model's life; `garden`, what happens at its slots;
`training`, the steps; then `study`, which repeats a life over random seeds and arms. `plan` and
`data` say what is trained on what, `ranks` how several processes share it, `journal` what is kept,
`comparison`, `table` and `picture` what is shown, and `command` is the command line.
"""
