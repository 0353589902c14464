"""docs/demo.html: one page that throws a ball, follows it with a network and shows the forecast, without a server.

python -m tools.demo                                   # docs/demo.html
python -m tools.demo --weights runs/mine/weights.safetensors --out demo.html
"""
