"""x"""
from mmnet.tflite.layers import Layer, Network, Value, sliced
import numpy as np
ALPHA='alpha'
LUT='LUT'

def logistic(network):
    conv = logits_convolution(network)
    layers=[]
    renamed={}
    for layer in network.layers:
        if layer is conv:
            out=Value('logit', layer.output.shape[:3]+(1,), layer.output.range)
            new=Layer('CONV_2D', layer.inputs,[out], layer.weights[...,1:]-layer.weights[...,:1])
            new.bias=layer.bias[1:]-layer.bias[:1]
            renamed[layer.output]=out
            layers.append(new)
        elif layer.inputs[0] in renamed:
            out=Value(layer.output.name, layer.output.shape[:3]+(1,), layer.output.range)
            new=Layer(layer.kind,[renamed[layer.inputs[0]]],[out],align_corners=layer.align_corners)
            renamed[layer.output]=out
            layers.append(new)
        else: layers.append(layer)
    alpha=Value(ALPHA, out.shape)
    layers.append(Layer('LOGISTIC',[out],[alpha]))
    return Network(network.input, alpha, layers)

def logits_convolution(network):
    layer=network.producer(network.output)
    while layer.kind=='RESIZE_BILINEAR':
        layer=network.producer(layer.inputs[0])
    return layer
