"""The page for those who look for Gradio: the job logic of ``lungscan_web`` behind Gradio's parts.

Files go in as files and out as files: Gradio decodes nothing. See docs/gradio.md for the install.
"""
